/* cofferdam domain: what libvirt does with its domains, others' and ours, beside the common verbs.
 */
#include "app/cli/domain_snapshot.h"
#include "app/cli/foreign.h"
#include "app/cli/out.h"
#include "app/cli/own_domain.h"
#include "app/cli/verbs.h"

#include "backends/libvirt/libvirt.h"
#include "base/module.h"

#include <stdio.h>
#include <unistd.h>

static const char *const subverbs[] = {"list",     "watch",       "start",     "reset",
                                       "save",     "forget-save", "autostart", "no-autostart",
                                       "snapshot", NULL};

// clang-format off
static const struct option_row domain_options[] = {
    {"files",      0,  NULL, "snapshot create: the disks alone, as new files on top of them", NULL},
    {"recursive", 'r', NULL, "snapshot rm: with those that come from it", NULL},
    {"force",     'f', NULL, "snapshot revert, rm: do not ask; create: though there is no way back", NULL},
    {0},
};
// clang-format on

static int domain_list(struct cli *c)
{
    static const char *const columns[] = {"NAME", "STATE", "AUTOSTART", "SAVED", "LIBVIRT", NULL};
    struct dirs d;
    struct error e;
    size_t i;
    json_t *one;
    if (dirs_init(&d, &e) < 0)
        return cli_fail(c, &e);
    json_t *list = foreign_list(c, &d, false);
    dirs_done(&d);
    if (c->json) {
        out_json(json_pack("{s:o}", "domains", list ? list : json_array()));
        return 0;
    }
    struct out_table t = {.columns = columns};
    json_array_foreach(list, i, one)
    {
        const char *state = json_string_value(json_object_get(one, "state"));
        autofree char *name =
            str_format(FOREIGN_PREFIX "%s", json_string_value(json_object_get(one, "name")));
        autofree char *shown = str_format("%s%s", state, json_object_get(one, "stale") ? "?" : "");
        const char *cells[] = {name, shown,
                               json_is_true(json_object_get(one, "autostart")) ? "yes" : "no",
                               json_is_true(json_object_get(one, "saved")) ? "yes" : "no",
                               json_string_value(json_object_get(one, "uri"))};
        out_table_add(&t, cells);
    }
    out_table_print(&t);
    out_table_done(&t);
    json_decref(list);
    return 0;
}

/* Where nobody is to be asked nothing is watched. */
static int domain_watch(struct cli *c)
{
    autofree char *program = module_program(DOMAIN_PROGRAM);
    struct foreign_places places;
    struct error e;
    foreign_places_find(&places);
    autofree char **argv = mem_zero(places.count + 3, sizeof(argv[0]));
    argv[0] = program;
    argv[1] = (char *)"watch";
    for (size_t i = 0; i < places.count; i++)
        argv[2 + i] = places.of[i].uri;
    if (places.count)
        execv(program, argv);
    int status = 0;
    if (places.count) {
        error_errno(&e, errno, "%s", program);
        status = cli_fail(c, &e);
    }
    foreign_places_done(&places);
    return status;
}

static int domain_run(struct cli *c)
{
    if (str_equal(c->args[0], "snapshot"))
        return domain_snapshot(c);
    if (cli_switch(c, "files") || cli_switch(c, "recursive") || cli_switch(c, "force"))
        return cli_usage(c, "%s: --files, --recursive and --force are for snapshots", c->args[0]);
    if (str_equal(c->args[0], "watch"))
        return c->args_count > 1 ? cli_usage(c, "watch: takes no name") : domain_watch(c);
    int status = 0;
    if (str_equal(c->args[0], "list"))
        return c->args_count > 1 ? cli_usage(c, "list: takes no name") : domain_list(c);
    if (c->args_count < 2)
        return cli_usage(c,
                         "%s: name a domain, as \"domain list\" has it, or a whole machine of ours",
                         c->args[0]);
    for (size_t i = 1; i < c->args_count; i++) {
        int r = foreign_is(c->args[i]) ? foreign_control(c, c->args[i], c->args[0])
                                       : own_domain(c, c->args[i], c->args[0]);
        status = r ? r : status;
    }
    return status;
}

const struct verb verb_domain = {
    .name = "domain",
    .group = "Run",
    .usage = "list|watch|start|reset|save|forget-save|autostart|no-autostart|snapshot ACTION "
             "[OPTION…] [libvirt:NAME|WORKLOAD…] [SNAPSHOT]",
    .summary = "what libvirt does with whole machines, those of other programs too",
    .subverbs = subverbs,
    .options = domain_options,
    .flags = VERB_JSON | VERB_SUBVERBS,
    .run = domain_run,
};
