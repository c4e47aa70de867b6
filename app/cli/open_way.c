#include "app/cli/open_way.h"

#include "base/str.h"

#include <sys/stat.h>

const struct open_stop open_stops[OPEN_TRUSTS] = {
    [OPEN_FULL] = {"full", "trusted",   "in order, but not held back: it has the host's network",
                   "starts in milliseconds"                                                                                                                           },
    [OPEN_SOME] = {"some", "contained",
                   "a container with everything closed, no network; it shares the host's kernel",   "starts in milliseconds"                                          },
    [OPEN_NONE] = {"none", "untrusted",
                   "a kernel of its own in between, no network: the host's kernel is out of reach", "starts in tenths of a second; system calls are many times slower"},
};

int open_trust_find(const char *word, enum open_trust *ret)
{
    for (size_t i = 0; i < OPEN_TRUSTS; i++) {
        if (strcmp(open_stops[i].word, word) == 0) {
            *ret = (enum open_trust)i;
            return 0;
        }
    }
    return -EINVAL;
}

enum open_trust open_recommend(const struct look *l, const char **ret_why)
{
    switch (l->kind) {
    case LOOK_PROGRAM:
    case LOOK_APPIMAGE:
    case LOOK_LIBRARY:
    case LOOK_WINDOWS:
        *ret_why =
            "machine code can try every hole of the kernel it runs on, and nobody can read it";
        return OPEN_NONE;
    case LOOK_PACKAGE:
        *ret_why = "a package brings programs, and scripts that its installation runs as root";
        return OPEN_NONE;
    case LOOK_DISK:
        *ret_why = "an image of a machine wants a machine";
        return OPEN_NONE;
    case LOOK_SCRIPT:
    case LOOK_TEXT:
        if (l->marked) {
            *ret_why = "it was downloaded, and a script may fetch or carry anything";
            return OPEN_NONE;
        }
        *ret_why =
            "a script can be read before it is run; what it starts are this machine's programs";
        return OPEN_SOME;
    case LOOK_ARCHIVE:
    case LOOK_DOCUMENT:
    case LOOK_FOLDER:
        *ret_why = "nothing of it runs until you run it; programs that read it may have holes";
        return OPEN_SOME;
    case LOOK_DATA:
    case LOOK_EMPTY:
        break;
    }
    *ret_why = "nothing is known about it";
    return l->kind == LOOK_EMPTY ? OPEN_SOME : OPEN_NONE;
}

/* What runs or shows a type of file. `words` stand in front of the file's name. */
static const struct {
    enum look_kind kind;
    const char *type; /* NULL: any */
    bool run;         /* it is run, with the arguments given; else only listed */
    const char *words[4];
} ways[] = {
  // clang-format off
    {LOOK_PROGRAM,  NULL,    true,  {NULL}},
    {LOOK_APPIMAGE, NULL,    true,  {NULL}},
    {LOOK_SCRIPT,   NULL,    true,  {NULL}},
    {LOOK_TEXT,     "sh",    true,  {"sh"}},
    {LOOK_TEXT,     "py",    true,  {"python3"}},
    {LOOK_TEXT,     "pl",    true,  {"perl"}},
    {LOOK_TEXT,     "rb",    true,  {"ruby"}},
    {LOOK_TEXT,     "js",    true,  {"node"}},
    {LOOK_TEXT,     "php",   true,  {"php"}},
    {LOOK_TEXT,     "lua",   true,  {"lua"}},
    {LOOK_ARCHIVE,  "jar",   true,  {"java", "-jar"}},
    {LOOK_ARCHIVE,  "tar",   false, {"tar", "-tvf"}},
    {LOOK_ARCHIVE,  "gzip",  false, {"tar", "-tvf"}},
    {LOOK_ARCHIVE,  "bzip2", false, {"tar", "-tvf"}},
    {LOOK_ARCHIVE,  "xz",    false, {"tar", "-tvf"}},
    {LOOK_ARCHIVE,  "zstd",  false, {"tar", "-tvf"}},
    {LOOK_ARCHIVE,  "zip",   false, {"unzip", "-l"}},
    {LOOK_ARCHIVE,  "7z",    false, {"7z", "l"}},
    {LOOK_ARCHIVE,  "ar",    false, {"ar", "tv"}},
    {LOOK_PACKAGE,  "deb",   false, {"dpkg-deb", "--contents"}},
    {LOOK_PACKAGE,  "rpm",   false, {"rpm", "-qlvp"}},
    {LOOK_TEXT,     NULL,    false, {"cat", "--"}},
    {LOOK_FOLDER,   NULL,    false, {"ls", "-la"}},
  // clang-format on
};

static void way_add(char ***argv, const char *const *words, const char *file)
{
    for (size_t i = 0; words[i]; i++)
        strv_add(argv, words[i]);
    strv_take(argv, str_format("./%s", file));
}

int open_command(const struct look *l, const char *name, char *const *rest, bool terminal,
                 char ***ret_argv, struct error *e)
{
    char **argv = mem_zero(1, sizeof(char *));
    const size_t none = ARRAY_SIZE(ways);
    size_t way = 0;
    while (way < none &&
           (ways[way].kind != l->kind || (ways[way].type && !str_equal(ways[way].type, l->type))))
        way++;
    bool run = way < none && ways[way].run;
    if (run || (way < none && !rest && !terminal))
        way_add(&argv, ways[way].words, name);
    for (size_t i = 0; rest && rest[i]; i++)
        strv_add(&argv, rest[i]);
    if (argv[0] || terminal) {
        if (!argv[0]) /* nothing to run: a shell beside it */
            strv_add(&argv, "/bin/sh");
        *ret_argv = argv;
        return 0;
    }
    strv_free(argv);
    const char *more =
        l->kind == LOOK_DISK ? "; starting it needs the vm boundary, which this version lacks" : "";
    return error_set(e, ENOEXEC,
                     "there is nothing to run in this %s%s: say behind \"--\" what is to "
                     "be done with it",
                     look_kind_name(l->kind), more);
}

char *open_name_inside(const char *path)
{
    autofree char *copy = str_dup(path);
    size_t length = strlen(copy);
    while (length > 1 && copy[length - 1] == '/')
        copy[--length] = '\0';
    const char *name = strrchr(copy, '/');
    name = name ? name + 1 : copy;
    struct buf b = {0};
    for (; *name && b.used < 200; name++) {
        bool plain = (*name >= '0' && *name <= '9') || ((*name | 32) >= 'a' && (*name | 32) <= 'z');
        bool dot = strchr("._-+", *name) && b.used; /* none in front: hidden, or an option */
        buf_putc(&b, plain || dot ? *name : '_');
    }
    if (!b.used)
        buf_puts(&b, "file");
    return buf_take(&b);
}
