/*
 * cofferdam-domain WORD…: drive (by the monitor), probe URI, list URI…, watch URI…, control URI
 * UUID VERB, snapshots URI UUID, snapshot URI UUID VERB NAME HOW, agent URI ID CONSOLE (by drive),
 * addresses URI ID, undo URI ID FOLDER (by the CLI). Prints JSON, or on failure one line and leaves
 * with 1.
 */
#include "app/domains/domains.h"

#include "base/fd.h"
#include "base/str.h"

#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/stat.h>
#include <unistd.h>

static int undo(char **argv)
{
    struct error e;
    domains_limit(CONNECT_S, NULL);
    if (domains_undo_by(argv[2], argv[3], argv[4], &e) == 0)
        return 0;
    fprintf(stderr, "%s\n", e.text);
    return 1;
}

int main(int argc, char **argv)
{
    umask(077);
    signal(SIGPIPE, SIG_IGN);
    setenv("LIBVIRT_DEBUG", "4", 0); /* its warnings would stand in the midst of what is answered */
    if (argc == 2 && str_equal(argv[1], "drive"))
        return domains_drive();
    if (argc == 3 && str_equal(argv[1], "probe"))
        return domains_probe(argv[2]);
    if (argc >= 3 && (str_equal(argv[1], "list") || str_equal(argv[1], "stats")))
        return domains_list(argv + 2, str_equal(argv[1], "stats"));
    if (argc >= 3 && str_equal(argv[1], "watch"))
        return domains_watch(argv + 2);
    if (argc == 5 && str_equal(argv[1], "control"))
        return domains_control(argv[2], argv[3], argv[4]);
    if (argc == 4 && str_equal(argv[1], "snapshots"))
        return domains_snapshots(argv[2], argv[3]);
    if (argc == 7 && str_equal(argv[1], "snapshot"))
        return domains_snapshot_do(argv[2], argv[3], argv[4], argv[5], argv[6]);
    if (argc == 5 && str_equal(argv[1], "agent"))
        return domains_agent(argv[2], argv[3], argv[4]);
    if (argc == 4 && str_equal(argv[1], "addresses"))
        return domains_addresses(argv[2], argv[3]);
    if (argc == 5 && str_equal(argv[1], "undo"))
        return undo(argv);
    fprintf(stderr, "cofferdam-domain is started by cofferdam, not by hand\n");
    return 2;
}
