/* One verb, one file, one const row: help, completions and the man-page check read the same table. */
#ifndef COFFERDAM_APP_CLI_VERB_H
#define COFFERDAM_APP_CLI_VERB_H

#include "base/dirs.h"
#include "base/error.h"
#include "base/str.h"

/* Exit statuses of our own, as docker and podman have them. */
enum { EXIT_OURS = 125, EXIT_NOT_EXECUTABLE = 126, EXIT_NOT_FOUND = 127 };

/* One option of a verb. */
struct option_row {
    const char *name;      /* without "--" */
    char letter;           /* 0: none */
    const char *value;     /* "NAME" in the help; NULL: a switch */
    const char *help;      /* one line */
    const char *complete;  /* what completes it: "profile", "workload", "file", "dir", or "a|b|c"; NULL */
};

/* What was given, in order; several of the same name are kept. */
struct option_value {
    const struct option_row *row;
    const char *value; /* borrowed from argv; NULL for a switch */
};

struct cli {
    const struct verb *verb;
    struct option_value *options; /* owned */
    size_t options_count;
    char **args; /* borrowed from argv: what is no option; NULL-terminated */
    size_t args_count;
    char **command; /* borrowed: with VERB_COMMAND or VERB_TAIL; NULL: none */
    bool json;
};

/* Flags of a verb. */
enum {
    VERB_JSON = 1,        /* takes --json */
    VERB_COMMAND = 2,     /* the first non-option, or "--", begins a command; with VERB_WORKLOADS the
                             first non-option is the workload, what follows it the command */
    VERB_WORKLOADS = 4,   /* arguments are workloads */
    VERB_HIDDEN = 8,
    VERB_SUBVERBS = 16,   /* the first argument is one of `subverbs` */
    VERB_TAIL = 32,       /* arguments, and what stands behind "--" is `command` (open FILE -- ARG) */
};

struct verb {
    const char *name;
    const char *group;    /* "Run", "Watch", "Files", "Profiles", "Host" */
    const char *usage;    /* behind the name: "[OPTION…] [--] COMMAND [ARG…]" */
    const char *summary;  /* one line */
    const char *const *subverbs; /* NULL-terminated, or NULL */
    const struct option_row *options; /* ends with a NULL name; may be NULL */
    unsigned flags;
    int (*run)(struct cli *c); /* the process's exit status */
};

/* Options: the last value of a name, all of them, whether a switch was given. */
const char *cli_option(const struct cli *c, const char *name);
bool cli_switch(const struct cli *c, const char *name);

/* Prints "cofferdam VERB: text" to stderr, escaped; returns EXIT_OURS. */
int cli_fail(const struct cli *c, const struct error *e);
/* The same where a command could not be started: 127 for ENOENT, 126 for EACCES and ENOEXEC. */
int cli_fail_command(const struct cli *c, const struct error *e);
/* The same for a wrong command line, with a pointer to the verb's help; returns EXIT_OURS. */
int cli_usage(const struct cli *c, const char *fmt, ...) __attribute__((format(printf, 2, 3)));

/* Every switch or value of the option in order: calls back until `each` returns non-zero. */
int cli_each(const struct cli *c, const char *name,
             int (*each)(void *data, const char *value, struct error *e), void *data,
             struct error *e);

extern const struct verb *const verbs[]; /* in the order of the help */
extern const size_t verbs_count;

#endif
