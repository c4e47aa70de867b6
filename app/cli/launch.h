/*
 * The one road from a profile and a command line to a running workload: run, open, plan and the
 * terminal interface all take it, so that what is shown, checked and started is the same.
 */
#ifndef COFFERDAM_APP_CLI_LAUNCH_H
#define COFFERDAM_APP_CLI_LAUNCH_H

#include "app/cli/images.h"
#include "app/cli/machine.h"
#include "app/cli/verb.h"
#include "app/plan/plan.h"
#include "console/client.h"

#define LAUNCH_PROFILE_DEFAULT "contained"

/* Zero it, then call in this order; launching_done() is fine after each. */
struct launching {
    struct dirs dirs;            /* owned */
    struct settings settings;    /* owned */
    struct plan_host host;       /* owned */
    struct plan *plan;           /* owned; after launching_build() */
    struct plan_request request; /* its strings are borrowed, or owned by the fields below */
    char id[13];
    char *profile, *cwd, *scratch; /* owned */
    char **env;                    /* owned; of --env */
    struct images_launch *image;   /* owned; NULL: it stands on no image of the store */
    struct machine_parts *machine; /* owned; NULL: it is no machine */
    bool settings_ready, detach;
    bool read_only;          /* launch_run() only looks at it */
    const char *detach_keys; /* borrowed; of launch_run(); NULL: the settings' */
    bool begun;              /* a monitor waits to hear what to start: */
    bool foretold;           /* and has heard what the settings will probably make necessary */
    int socket;              /* owned, if begun */
    pid_t monitor;           /* ours to wait for, if begun */
    bool report; /* launch_run() shows the page of report.h on stderr when it has ended */
};

/*
 * Starts the monitor that launching_start() will want, so that it gets ready while the rest goes
 * on. It makes nothing before it hears more, and leaves if it never does. Idempotent; may be left
 * out.
 */
int launching_begin(struct launching *l, struct error *e);

/* Loads the profile (NULL: the default) or, if given, the workload file of that name. */
int launching_load(struct launching *l, const char *profile, const char *workload, struct error *e);

/*
 * Everything at once for a verb with LAUNCH_OPTIONS: the profile of --profile or the workload of
 * --workload, then the flags in their order, the name, the environment, the terminal.
 */
int launching_options(struct launching *l, const struct cli *c, struct error *e);

/* A path as people write it on a command line, as the settings know paths. Owned by the caller. */
char *launching_source(const char *value);

/* The flags alone, over what launching_load() has loaded. */
int launching_flags(struct launching *l, const struct cli *c, struct error *e);

/*
 * Reads the facts and builds the plan. Set `request.argv` before; the id, the folder and the
 * environment of the caller are filled in here.
 */
int launching_build(struct launching *l, struct error *e);

/* The same of a launch that is only asked about: what would be run does not matter. */
int launching_build_any(struct launching *l, struct error *e);

/*
 * The other way to a plan: that of a snapshot, `p` (taken over), renewed. `renewal` lacks its id
 * and scratch, which are filled in here.
 */
int launching_renew(struct launching *l, struct plan *p, struct plan_renewal *renewal,
                    struct error *e);

/*
 * plan_check(), then what the backend has to say. -ENOTSUP or so with the first refusal; the
 * findings, if asked for, are the caller's, whatever is returned.
 */
int launching_check(const struct launching *l, struct plan_finding **ret, size_t *ret_count,
                    struct error *e);

/*
 * Starts the workload. The client is connected already and nothing has been asked of it yet;
 * started() or failed() for console 0 tells how it went. The plan has been launching_check()ed.
 */
int launching_start(struct launching *l, uint16_t rows, uint16_t cols,
                    const struct client_events *events, void *data, struct client **ret,
                    pid_t *ret_monitor, struct error *e);

void launching_done(struct launching *l);

/* The flags of every verb that launches or plans. */
// clang-format off
#define LAUNCH_OPTIONS \
    {"profile",   'p', "NAME", "the stop of the dial (default: contained)", "profile"}, \
    {"workload",   0,  "NAME", "a workload file instead of a profile", "workload-file"}, \
    {"boundary",   0,  "NAME", "container, sandbox, microvm or vm", "container|sandbox|microvm|vm"}, \
    {"runtime",    0,  "NAME", "what makes the boundary (default: auto)", NULL}, \
    {"accel",      0,  "NAME", "auto, kvm or tcg, for machines", "auto|kvm|tcg"}, \
    {"image",     'i', "IMAGE", "host, dir:PATH or an image's name", NULL}, \
    {"entrypoint", 0,  "PATH", "instead of the image's own; empty: none", NULL}, \
    {"name",      'n', "NAME", "the workload's name (default: made up)", NULL}, \
    {"label",     'l', "NAME=VALUE", "to find it by", NULL}, \
    {"detach",    'd', NULL, "print the id and come back at once", NULL}, \
    {"tty",       't', NULL, "a terminal inside, whatever this is", NULL}, \
    {"env",       'e', "NAME[=VALUE]", "a variable; without a value the caller's", NULL}, \
    {"workdir",   'w', "PATH", "where the command starts", NULL}, \
    {"user",      'u', "USER", "self, root, ranges or a number", "self|root|ranges"}, \
    {"memory",    'm', "SIZE", "most memory", NULL}, \
    {"cpus",       0,  "NUMBER", "most processor time", NULL}, \
    {"pids",       0,  "NUMBER", "most processes", NULL}, \
    {"network",    0,  "MODE", "none, private or host", "none|private|allow-list|host"}, \
    {"mount",     'v', "SOURCE[:TARGET][:ro|rw]", "show files of the host inside", "file"}, \
    {"copy-in",    0,  "SOURCE[:TARGET]", "copy files of the host inside", "file"}, \
    {"time-limit", 0,  "TIME", "stop it after this time", NULL}, \
    {"report",     0,  NULL, "show at the end what it did", NULL}, \
    {"keep",       0,  "WHEN", "keep its files: never, on-failure or always", "never|on-failure|always"}, \
    {"rm",         0,  NULL, "leave nothing behind (as --keep never)", NULL}, \
    {"set",        0,  "SECTION.KEY=VALUE", "any key of cofferdam.ini(5)", NULL}
// clang-format on

#endif
