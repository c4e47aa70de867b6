/* cofferdam install: a system from a CD image onto a new disk, at its serial console or its screen.
 */
#include "app/cli/launch_run.h"
#include "app/cli/verbs.h"

#include <stdio.h>
#include <unistd.h>

#define INSTALL_SIZE "size"

static const struct option_row options[] = {
    {INSTALL_SIZE, 0, "SIZE", "of the new disk (default: 16G)", NULL},
    LAUNCH_OPTIONS,
    {0     },
};

/* The machine boots the first CD; what else is wanted in it, as drivers, comes behind. */
static int install_cds(struct settings *s, const char *cd, struct error *e)
{
    autostrv char **others = strv_copy(settings_list(s, KEY_MACHINE_CDROM));
    int r = settings_set(s, KEY_MACHINE_CDROM, "", "install", e);
    if (r == 0)
        r = settings_add(s, KEY_MACHINE_CDROM, cd, "install", e);
    for (size_t i = 0; r == 0 && others && others[i]; i++)
        r = settings_add(s, KEY_MACHINE_CDROM, others[i], "install", e);
    return r;
}

static int install_settings(struct launching *l, const struct cli *c, char *const paths[2],
                            struct error *e)
{
    const char *size = cli_option(c, INSTALL_SIZE);
    autofree char *image = str_format("disk:%s", paths[1]);
    struct settings *s = &l->settings;
    int r = settings_set(s, KEY_WORKLOAD_IMAGE, "", "install", e);
    if (r == 0)
        r = settings_set(s, KEY_ISOLATION_BOUNDARY, "vm", "install", e);
    if (r == 0)
        r = settings_set(s, KEY_FILES_IMAGE, image, "install", e);
    if (r == 0)
        r = install_cds(s, paths[0], e);
    if (r == 0)
        r = settings_set(s, KEY_MACHINE_INSTALL, "yes", "install", e);
    if (r == 0 && size)
        r = settings_set(s, KEY_MACHINE_DISK_SIZE, size, "--" INSTALL_SIZE, e);
    return r < 0 && size ? error_wrap(e, "--" INSTALL_SIZE) : r;
}

static void install_say(const struct launching *l, const char *disk)
{
    bool window = l->plan->machine.window;
    autofree char *shown = str_escape_z(disk);
    fprintf(stderr, "%s is put there when the machine turns itself off or restarts.\n", shown);
    if (window)
        fprintf(stderr, "Its screen: cofferdam view %s\n", l->plan->name);
    else
        fprintf(stderr, "This is its serial console; an installer that only draws needs --set "
                        "machine.display=window.\n");
}

static int install_launch(struct cli *c, char *const paths[2])
{
    struct launching l = {0};
    struct error e;
    launching_begin(&l, &e); /* what hinders it now will be said by launching_start() */
    int r = launching_options(&l, c, &e);
    if (r == 0)
        r = install_settings(&l, c, paths, &e);
    if (r == 0)
        r = launching_build(&l, &e);
    if (r == 0)
        r = launching_check(&l, NULL, NULL, &e);
    if (r == 0)
        install_say(&l, paths[1]);
    int status = r < 0 ? cli_fail(c, &e) : launch_run(c, &l);
    if (r == 0 && status == 0 && !l.detach)
        fprintf(stderr, "It is there: cofferdam run --boundary vm --image disk:%s\n", paths[1]);
    launching_done(&l);
    return status;
}

static int install_run(struct cli *c)
{
    struct error e;
    if (c->args_count != 2)
        return cli_usage(c, "a CD image, and the disk to be made from it");
    if (cli_option(c, "image"))
        return cli_usage(c, "--image: the disk is named at the end");
    if (access(c->args[0], R_OK) < 0) {
        error_errno(&e, errno, "%s", c->args[0]);
        return cli_fail(c, &e);
    }
    char *paths[] = {launching_source(c->args[0]), launching_source(c->args[1])};
    int status = install_launch(c, paths);
    free(paths[0]);
    free(paths[1]);
    return status;
}

const struct verb verb_install = {
    .name = "install",
    .group = "Run",
    .usage = "[OPTION…] CD-IMAGE DISK",
    .summary = "install a system onto a new disk of a whole machine",
    .options = options,
    .run = install_run,
};
