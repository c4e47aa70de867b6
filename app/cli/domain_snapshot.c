#include "app/cli/domain_snapshot.h"

#include "app/cli/foreign.h"
#include "app/cli/live.h"
#include "app/cli/out.h"

#include <stdio.h>
#include <unistd.h>

enum { ASK_MS = 15000, WORK_MS = 1900000 }; /* cofferdam-domain gives up a little earlier */

/* Whose snapshots they are, and those that there are. */
struct of {
    struct foreign_places places;
    const struct foreign_place *place; /* borrowed from places */
    char *name;                        /* owned */
    json_t *said;                      /* owned */
    json_t *list;                      /* borrowed from said */
};

static void of_done(struct of *o)
{
    json_decref(o->said);
    free(o->name);
    foreign_places_done(&o->places);
}

static int of_ask(struct of *o, struct error *e)
{
    autofree char *said = NULL;
    const char *const words[] = {"snapshots", o->place->uri, o->name, NULL};
    int r = foreign_tell(words, ASK_MS, &said, e);
    if (r < 0)
        return r;
    o->said = json_loads(said, 0, NULL);
    o->list = json_object_get(o->said, "snapshots");
    return json_is_array(o->list) ? 0 : error_set(e, EPROTO, "its snapshots cannot be read");
}

static int of_open(struct of *o, const char *word, struct error *e)
{
    *o = (struct of){0};
    int r = foreign_resolve(word, &o->places, &o->place, &o->name, e);
    if (r < 0)
        return r;
    r = of_ask(o, e);
    if (r == 0)
        return 0;
    of_done(o);
    return error_wrap(e, "%s", word);
}

static const char *one_text(const json_t *one, const char *key)
{
    return json_string_value(json_object_get(one, key));
}

static json_t *of_find(const struct of *o, const char *name)
{
    size_t i;
    json_t *one;
    json_array_foreach(o->list, i, one)
    {
        if (str_equal(one_text(one, "name"), name))
            return one;
    }
    return NULL;
}

static int of_do(const struct of *o, const char *verb, const char *name, const char *how,
                 char **ret_said, struct error *e)
{
    const char *const words[] = {"snapshot", o->place->uri, o->name, verb, name, how, NULL};
    return foreign_tell(words, WORK_MS, ret_said, e);
}

/* --- list ------------------------------------------------------------------------------------- */

static void list_row(struct out_table *t, const json_t *one, size_t depth)
{
    char age[32];
    int64_t created = json_integer_value(json_object_get(one, "created_ms"));
    int64_t since = live_now_ms() - created;
    bool current = json_is_true(json_object_get(one, "current"));
    bool reverts = json_is_true(json_object_get(one, "reverts"));
    autofree char *name = str_format("%*s%s%s", (int)MIN(depth, 20) * 2, "", depth ? "- " : "",
                                     one_text(one, "name"));
    const char *cells[] = {
        name,
        one_text(one, "kind"),
        one_text(one, "holds"),
        created > 0 && since >= 0 ? str_from_duration((uint64_t)since, age, sizeof(age)) : NULL,
        !reverts  ? "cannot be gone back to"
        : current ? "current"
                  : NULL,
    };
    out_table_add(t, cells);
}

/* Those that come from `parent`; NULL: those that come from none there is. Each is shown once. */
static void list_tree(const struct of *o, struct out_table *t, bool *shown, const char *parent,
                      size_t depth)
{
    size_t i;
    json_t *one;
    json_array_foreach(o->list, i, one)
    {
        const char *from = one_text(one, "parent");
        bool here = parent ? str_equal(from, parent) : !from || !of_find(o, from);
        if (!here || shown[i])
            continue;
        shown[i] = true;
        list_row(t, one, depth);
        list_tree(o, t, shown, one_text(one, "name"), depth + 1);
    }
}

static int snapshot_list(struct cli *c, struct of *o, const char *name, struct error *e)
{
    static const char *const columns[] = {"NAME", "KIND", "HOLDS", ">AGE", "NOTE", NULL};
    if (c->json) {
        out_json(json_incref(o->said));
        return 0;
    }
    struct out_table t = {.columns = columns};
    autofree bool *shown = mem_zero(json_array_size(o->list) + 1, sizeof(shown[0]));
    list_tree(o, &t, shown, NULL, 0);
    out_table_print(&t);
    out_table_done(&t);
    return 0;
}

/* --- create ----------------------------------------------------------------------------------- */

static int snapshot_create(struct cli *c, struct of *o, const char *name, struct error *e)
{
    bool files = cli_switch(c, "files");
    autofree char *said = NULL;
    if (name && of_find(o, name))
        return error_set(e, EEXIST, "it has a snapshot %s already", name);
    if (files && !cli_switch(c, "force") &&
        !json_is_true(json_object_get(o->said, "reverts_files")))
        return error_set(e, EOPNOTSUPP,
                         "this libvirt (%s) can take one of the files alone, but never go back to "
                         "it, which 9.9.0 can: without --files it takes one that it can go back "
                         "to, and --force takes this one all the same",
                         one_text(o->said, "libvirt"));
    int r = of_do(o, "create", name ? name : "", files ? "files" : "", &said, e);
    if (r < 0)
        return r;
    json_t *made = json_loads(said, 0, NULL);
    autofree char *shown = out_text(one_text(made, "name"));
    if (c->json)
        out_json(json_pack("{s:o}", "snapshot", made ? json_incref(made) : json_null()));
    else
        out_line("%s", shown);
    json_decref(made);
    return 0;
}

/* --- revert, rm ------------------------------------------------------------------------------- */

static int snapshot_known(const struct of *o, const char *name, json_t **ret, struct error *e)
{
    *ret = of_find(o, name);
    return *ret
               ? 0
               : error_set(e, ENOENT,
                           "it has no snapshot %s: \"domain snapshot list\" has their names", name);
}

static int snapshot_revert(struct cli *c, struct of *o, const char *name, struct error *e)
{
    json_t *one;
    bool force = cli_switch(c, "force");
    int r = snapshot_known(o, name, &one, e);
    if (r < 0)
        return r;
    if (!json_is_true(json_object_get(one, "reverts")))
        return error_set(e, EOPNOTSUPP,
                         "this libvirt (%s) cannot go back to %s, whose disks are files of their "
                         "own (external): 9.9.0 can",
                         one_text(o->said, "libvirt"), name);
    if (!force && !isatty(STDIN_FILENO))
        return error_set(e, EPERM,
                         "what it has done since %s would be lost; without a terminal it needs "
                         "--force",
                         name);
    autofree char *whose = out_text(o->name), *shown = out_text(name);
    if (!out_confirm(force, "Bring %s back to %s, and lose what it has done since?", whose, shown))
        return error_set(e, ECANCELED, "it is left as it is");
    return of_do(o, "revert", name, force ? "force" : "", NULL, e);
}

/* How many come from it, from those that do, and so on. */
static size_t count_below(const struct of *o, bool *counted, const char *name)
{
    size_t i, count = 0;
    json_t *one;
    json_array_foreach(o->list, i, one)
    {
        if (counted[i] || !str_equal(one_text(one, "parent"), name))
            continue;
        counted[i] = true;
        count += 1 + count_below(o, counted, one_text(one, "name"));
    }
    return count;
}

static int snapshot_rm(struct cli *c, struct of *o, const char *name, struct error *e)
{
    json_t *one;
    bool force = cli_switch(c, "force"), recursive = cli_switch(c, "recursive");
    int r = snapshot_known(o, name, &one, e);
    if (r < 0)
        return r;
    if (!force && !isatty(STDIN_FILENO))
        return error_set(e, EPERM, "this removes it for good; without a terminal it needs --force");
    autofree bool *counted = mem_zero(json_array_size(o->list) + 1, sizeof(counted[0]));
    size_t below = recursive ? count_below(o, counted, name) : 0;
    autofree char *whose = out_text(o->name), *shown = out_text(name);
    autofree char *more = below ? str_format(" and the %zu that come from it", below) : str_dup("");
    if (!out_confirm(force, "Remove the snapshot %s of %s%s?", shown, whose, more))
        return error_set(e, ECANCELED, "nothing is removed");
    return of_do(o, "rm", name, recursive ? "recursive" : "", NULL, e);
}

/* --- which ------------------------------------------------------------------------------------ */

static const struct action {
    const char *name;
    size_t least, most; /* names of snapshots */
    const char *option; /* its own, beside --force */
    bool forces;
    int (*run)(struct cli *c, struct of *o, const char *name, struct error *e);
} actions[] = {
    {"create", 0, 1, "files",     true,  snapshot_create},
    {"list",   0, 0, NULL,        false, snapshot_list  },
    {"revert", 1, 1, NULL,        true,  snapshot_revert},
    {"rm",     1, 1, "recursive", true,  snapshot_rm    },
};

static bool takes_options(const struct cli *c, const struct action *a)
{
    return (!cli_switch(c, "files") || str_equal(a->option, "files")) &&
           (!cli_switch(c, "recursive") || str_equal(a->option, "recursive")) &&
           (!cli_switch(c, "force") || a->forces);
}

int domain_snapshot(struct cli *c)
{
    const struct action *a = NULL;
    const char *word = c->args_count > 2 ? c->args[2] : NULL;
    const char *name = c->args_count > 3 ? c->args[3] : NULL;
    struct of o;
    struct error e;
    for (size_t i = 0; c->args_count > 1 && i < ARRAY_SIZE(actions); i++)
        if (str_equal(actions[i].name, c->args[1]))
            a = &actions[i];
    if (!a)
        return cli_usage(c, "snapshot: create, list, revert or rm, please");
    if (!word || c->args_count < 3 + a->least || c->args_count > 3 + a->most)
        return cli_usage(c, "snapshot %s: one domain%s, please", a->name,
                         a->least  ? " and one of its snapshots"
                         : a->most ? " and maybe a name"
                                   : "");
    if (!takes_options(c, a))
        return cli_usage(c, "snapshot %s: that option is not for it", a->name);
    if (!foreign_is(word)) {
        error_set(&e, EINVAL,
                  "%s: this is for domains of other programs, called libvirt:NAME; for workloads "
                  "there is \"cofferdam snapshot\"",
                  word);
        return cli_fail(c, &e);
    }
    if (of_open(&o, word, &e) < 0)
        return cli_fail(c, &e);
    int status = 0;
    if (a->run(c, &o, name, &e) < 0) {
        error_wrap(&e, "%s", word);
        status = cli_fail(c, &e);
    }
    of_done(&o);
    return status;
}
