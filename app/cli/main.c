/* cofferdam: the command line, and the way into the terminal interface. */
#include "app/cli/help.h"
#include "app/cli/interface.h"
#include "app/cli/release.h"
#include "app/cli/verbs.h"
#include "base/module.h"
#include "ui/module.h"

#include <fcntl.h>
#include <stdio.h>
#include <unistd.h>

/* A descriptor 0, 1 or 2 that is closed would be the next file we open. */
static void main_fill_descriptors(void)
{
    for (int fd = 0; fd < 3; fd++)
        if (fcntl(fd, F_GETFD) < 0)
            (void)!open("/dev/null", O_RDWR);
}

static int main_interface(void)
{
    struct error e;
    if (!isatty(STDIN_FILENO) || !isatty(STDOUT_FILENO))
        return cli_usage(NULL, "the terminal interface needs a terminal; say a verb");
    const struct ui_module *ui = module_open("ui", "ui_module", &e);
    return ui ? ui->run(interface_host()) : cli_fail(NULL, &e);
}

static int main_unknown(const char *name)
{
    if (name[0] == '-')
        return cli_usage(NULL, "there is no option %s here; a verb comes first", name);
    const char *near = verb_nearest(name);
    if (near)
        return cli_usage(NULL, "there is no verb \"%s\"; did you mean \"%s\"?", name, near);
    return cli_usage(NULL, "there is no verb \"%s\"", name);
}

/* Output that got lost is a failure, not a success. */
static int main_finish(int status)
{
    if (fflush(stdout) == 0 && !ferror(stdout))
        return status;
    struct error e;
    error_errno(&e, errno ? errno : EIO, "standard output");
    int failed = cli_fail(NULL, &e);
    return status ? status : failed;
}

int main(int argc, char **argv)
{
    main_fill_descriptors();
    if (argc < 2)
        return main_finish(main_interface());
    const char *word = argv[1];
    if (str_equal(word, "--version") || str_equal(word, "-V"))
        release_print();
    else if (str_equal(word, "--help") || str_equal(word, "-h"))
        help_print_all();
    else {
        const struct verb *verb = verb_find(word);
        return main_finish(verb ? verb_call(verb, argv + 2) : main_unknown(word));
    }
    return main_finish(0);
}
