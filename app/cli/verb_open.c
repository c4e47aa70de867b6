/* cofferdam open: what is this file, how far do I trust it, run it there. */
#include "app/cli/launch_run.h"
#include "app/cli/open_plan.h"
#include "app/cli/open_show.h"
#include "app/cli/open_way.h"
#include "app/cli/out.h"
#include "app/cli/verbs.h"
#include "base/fd.h"

#include <stdio.h>
#include <sys/stat.h>
#include <unistd.h>

enum { LISTED_MOST = 200, LIST_MS = 10000 };

/* What stands in the settings until the plan is built: a real name may hold what no setting can. */
#define PLACEHOLDER "/cofferdam-open"

struct opening {
    const struct cli *c;
    const char *path;
    struct look look;
    struct archive_list archive;
    bool listed;
    struct error unlisted; /* why an archive was not */
    bool asked;            /* a person at a terminal answers */
    const char *profile;   /* decided */
};

static void opening_done(struct opening *o)
{
    look_done(&o->look);
    archive_list_done(&o->archive);
}

static int opening_look(struct opening *o, struct error *e)
{
    autoclose int fd = FD_NONE;
    int r = look_at(o->path, &o->look, &fd, e);
    if (r < 0 || (o->look.kind != LOOK_ARCHIVE && !str_equal(o->look.type, "deb")))
        return r;
    o->listed = archive_list(fd, LISTED_MOST, LIST_MS, &o->archive, &o->unlisted) == 0;
    return 0;
}

static void opening_show(const struct opening *o)
{
    open_show(stderr, o->path, &o->look, o->listed ? &o->archive : NULL,
              o->unlisted.code ? o->unlisted.text : NULL,
              isatty(STDERR_FILENO) && !getenv("NO_COLOR"));
}

/* Whether this version and host can start what a stop means, with the flags given; text if not. */
static bool stop_available(const struct cli *c, enum open_trust t, struct error *e)
{
    struct launching l = {0};
    int r = launching_load(&l, open_stops[t].profile, NULL, e);
    if (r == 0)
        r = launching_flags(&l, c, e);
    if (r == 0)
        r = launching_build_any(&l, e);
    if (r == 0)
        r = launching_check(&l, NULL, NULL, e);
    launching_done(&l);
    return r == 0;
}

static void show_stop(const struct cli *c, enum open_trust t, enum open_trust best)
{
    const struct open_stop *s = &open_stops[t];
    struct error e;
    fprintf(stderr, "  %d  %-5s %-10s %s\n", (int)t + 1, s->word, s->profile, s->what);
    if (stop_available(c, t, &e)) {
        fprintf(stderr, "                      %s%s\n", s->cost,
                t == best ? "  [recommended]" : "");
    } else {
        autofree char *why = str_escape_z(e.text);
        fprintf(stderr, "                      %snot available: %s\n",
                t == best ? "[recommended] " : "", why);
    }
}

/* What a person would be asked, for --json. */
static void add_stops(const struct opening *o, json_t *to)
{
    const char *why;
    enum open_trust best = open_recommend(&o->look, &why);
    json_t *list = json_array();
    for (int t = 0; t < OPEN_TRUSTS; t++) {
        const struct open_stop *s = &open_stops[t];
        struct error e;
        bool there = stop_available(o->c, (enum open_trust)t, &e);
        json_t *lacks = there ? json_null() : out_json_string(e.text);
        json_array_append_new(list, json_pack("{s:s, s:s, s:s, s:s, s:b, s:o}", "trust", s->word,
                                              "profile", s->profile, "what", s->what, "cost",
                                              s->cost, "available", there, "lacks", lacks));
    }
    const json_t *row = json_array_get(list, best);
    json_t *said = json_copy((json_t *)row);
    json_object_set_new(said, "why", json_string(why));
    json_object_set_new(to, "recommendation", said);
    json_object_set_new(to, "stops", list);
}

/* Asks until there is an answer. -ECANCELED: none of them. */
static int ask_trust(const struct cli *c, enum open_trust best, const char *why,
                     enum open_trust *ret, struct error *e)
{
    fprintf(stderr, "\nHow far do you trust it?\n");
    for (int t = 0; t < OPEN_TRUSTS; t++)
        show_stop(c, (enum open_trust)t, best);
    fprintf(stderr, "  Recommended: %s, because %s.\n", open_stops[best].word, why);
    for (;;) {
        char line[64];
        fprintf(stderr, "full, some, none, or q to leave it: ");
        fflush(stderr);
        if (!fgets(line, sizeof(line), stdin))
            return error_set(e, ECANCELED, "nothing was run");
        char *word = str_trim(line);
        if (str_equal(word, "q"))
            return error_set(e, ECANCELED, "nothing was run");
        if (word[0] >= '1' && word[0] <= '3' && !word[1]) {
            *ret = (enum open_trust)(word[0] - '1');
            return 0;
        }
        if (open_trust_find(word, ret) == 0)
            return 0;
    }
}

/* A stop that is not there is named, with the next one: taking that is the person's decision. */
static int refuse_stop(enum open_trust t, const struct error *why, struct error *e)
{
    return error_set(
        e, EOPNOTSUPP,
        "trust \"%s\" means the profile %s, and %s. Nothing was run. A plain container "
        "shares the host's kernel; if that is enough for this file, say so: "
        "--profile contained",
        open_stops[t].word, open_stops[t].profile, why->text);
}

static int opening_decide(struct opening *o, struct error *e)
{
    const char *word = cli_option(o->c, "trust"), *why;
    struct error lacks;
    enum open_trust trust, best = open_recommend(&o->look, &why);
    o->profile = cli_option(o->c, "profile");
    if (o->profile && word)
        return error_set(e, EINVAL, "--trust and --profile: one of them decides");
    if (o->profile)
        return 0;
    if (word) {
        if (open_trust_find(word, &trust) < 0)
            return error_set(e, EINVAL, "--trust: full, some or none");
    } else if (cli_switch(o->c, "yes")) {
        trust = best;
    } else if (!o->asked) {
        return error_set(
            e, EINVAL,
            "without a terminal to ask on, --trust full|some|none or --profile says how "
            "far this file is trusted (recommended: --trust %s, because %s)",
            open_stops[best].word, why);
    } else {
        int r = ask_trust(o->c, best, why, &trust, e);
        if (r < 0)
            return r;
    }
    o->profile = open_stops[trust].profile;
    /* Of the others, and where the boundary was chosen by hand, the check of the plan speaks. */
    if (trust != OPEN_NONE || cli_option(o->c, "boundary"))
        return 0;
    return stop_available(o->c, trust, &lacks) ? 0 : refuse_stop(trust, &lacks, e);
}

/* Settings that come from what the file is, not from the person. */
static int opening_settle(struct launching *l, const struct opening *o, struct error *e)
{
    int r = settings_add(&l->settings, KEY_FILES_COPY_IN, PLACEHOLDER, "open", e);
    /* An installer that fails is not to be tried again and again, whatever the profile is for. */
    if (r == 0)
        r = settings_set(&l->settings, KEY_LIFECYCLE_RESTART, "no", "open", e);
    if (r == 0 && o->look.kind == LOOK_APPIMAGE)
        strv_add(&l->env, "APPIMAGE_EXTRACT_AND_RUN=1"); /* there is no FUSE inside */
    l->request.env = l->env;
    return r;
}

/* The command names the file by its whole path, wherever it starts; in a folder it starts there. */
static void opening_point(struct plan *p, const struct opening *o, const char *inside,
                          const char *target)
{
    autofree char *relative = str_format("./%s", inside);
    for (size_t i = 0; p->argv[i]; i++) {
        if (!str_equal(p->argv[i], relative))
            continue;
        free(p->argv[i]);
        p->argv[i] = str_dup(target);
    }
    if (o->look.kind == LOOK_FOLDER && str_equal(p->cwd, p->home)) {
        free(p->cwd);
        p->cwd = str_dup(target);
    }
}

/* The real file takes the placeholder's step in the plan. */
static int opening_place(struct launching *l, const struct opening *o, const char *inside,
                         struct error *e)
{
    for (size_t i = 0; i < l->plan->mounts_count; i++) {
        struct plan_mount *m = &l->plan->mounts[i];
        if (m->kind != PLAN_MOUNT_COPY || !str_equal(m->source, PLACEHOLDER))
            continue;
        free(m->source);
        free(m->target);
        m->source = realpath(o->path, NULL);
        m->target = str_join_path(l->plan->home, inside);
        m->mode = o->look.kind == LOOK_FOLDER ? 0 : 0700;
        if (!m->source)
            return error_errno(e, errno, "the file is gone");
        opening_point(l->plan, o, inside, m->target);
        return 0;
    }
    return error_set(e, EINVAL, "this profile leaves no home to put the file in (files.home)");
}

static int opening_plan(struct launching *l, struct opening *o, struct error *e)
{
    autofree char *real = realpath(o->path, NULL); /* "." has no name of its own */
    autofree char *inside = open_name_inside(o->look.kind == LOOK_FOLDER && real ? real : o->path);
    autostrv char **argv = NULL;
    int r = launching_load(l, o->profile, NULL, e);
    if (r == 0)
        r = launching_flags(l, o->c, e);
    if (r == 0)
        r = opening_settle(l, o, e);
    if (r == 0)
        r = open_command(&o->look, inside, o->c->command, l->request.terminal_wanted, &argv, e);
    if (r < 0)
        return r;
    l->request.argv = argv;
    r = launching_build(l, e);
    l->request.argv = NULL;
    if (r == 0)
        r = opening_place(l, o, inside, e);
    return r == 0 ? launching_check(l, NULL, NULL, e) : r;
}

int open_plan(struct launching *l, const struct cli *c, const char *path, const char *profile,
              struct error *e)
{
    struct opening o = {.c = c, .path = path, .profile = profile};
    int r = opening_look(&o, e);
    l->request.terminal_wanted = true;
    if (r == 0)
        r = opening_plan(l, &o, e);
    opening_done(&o);
    return r;
}

static int opening_run(struct opening *o)
{
    struct launching l = {0};
    struct error e;
    int status;
    launching_begin(&l, &e); /* what hinders it now will be said by launching_start() */
    if (opening_plan(&l, o, &e) < 0) {
        status = cli_fail_command(o->c, &e);
    } else {
        l.report = !l.detach;
        status = launch_run(o->c, &l);
    }
    launching_done(&l);
    return status;
}

static int open_run(struct cli *c)
{
    struct error e;
    if (c->args_count != 1)
        return cli_usage(c, "one file, please; arguments for it stand behind \"--\"");
    struct opening o = {
        .c = c,
        .path = c->args[0],
        .asked = isatty(STDIN_FILENO) && isatty(STDERR_FILENO),
    };
    int status = 0;
    if (opening_look(&o, &e) < 0) {
        status = cli_fail(c, &e);
    } else if (c->json) {
        json_t *json = open_show_json(o.path, &o.look, o.listed ? &o.archive : NULL);
        add_stops(&o, json);
        out_json(json);
    } else {
        opening_show(&o);
        status = opening_decide(&o, &e) < 0 ? cli_fail(c, &e) : opening_run(&o);
    }
    opening_done(&o);
    return status;
}

static const struct option_row options[] = {
    {"trust",           0, "WORD", "how far: full, some or none", "full|some|none"},
    {"yes",           'y', NULL, "take the recommended stop unasked", NULL},
    LAUNCH_OPTIONS,
    {0},
};

const struct verb verb_open = {
    .name = "open",
    .group = "Run",
    .usage = "[OPTION…] FILE [-- ARGUMENT…]",
    .summary = "look at a strange file, then run it as far as it is trusted",
    .options = options,
    .flags = VERB_JSON | VERB_TAIL,
    .run = open_run,
};
