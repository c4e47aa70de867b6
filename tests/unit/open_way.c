/* What is recommended for a file, what is run, and how its copy is called. */
#include "app/cli/open_way.h"
#include "base/str.h"

#include <setjmp.h>
#include <stdarg.h>

#include <cmocka.h>

static char *command(enum look_kind kind, const char *type, char *const *rest, bool terminal)
{
    struct look l = {.kind = kind, .type = type};
    struct error e = {0};
    autostrv char **argv = NULL;
    int r = open_command(&l, "f", rest, terminal, &argv, &e);
    return r < 0 ? str_format("%d", r) : strv_join(argv, "|");
}

static void commands(void **state)
{
    static char *const rest[] = {(char *)"a", (char *)"b c", NULL};
    static const struct {
        enum look_kind kind;
        const char *type;
        bool rest, terminal;
        const char *want;
    } rows[] = {
        {LOOK_PROGRAM, "elf",    false, false, "./f"                    },
        {LOOK_PROGRAM, "elf",    true,  true,  "./f|a|b c"              },
        {LOOK_SCRIPT,  "script", true,  false, "./f|a|b c"              },
        {LOOK_TEXT,    "py",     true,  false, "python3|./f|a|b c"      },
        {LOOK_TEXT,    NULL,     false, false, "cat|--|./f"             },
        {LOOK_TEXT,    NULL,     false, true,  "/bin/sh"                },
        {LOOK_ARCHIVE, "gzip",   false, false, "tar|-tvf|./f"           },
        {LOOK_ARCHIVE, "gzip",   false, true,  "/bin/sh"                },
        {LOOK_ARCHIVE, "gzip",   true,  true,  "a|b c"                  },
        {LOOK_ARCHIVE, "jar",    true,  false, "java|-jar|./f|a|b c"    },
        {LOOK_ARCHIVE, "rar",    false, false, "-8"                     }, /* -ENOEXEC: nothing here reads it */
        {LOOK_PACKAGE, "deb",    false, false, "dpkg-deb|--contents|./f"},
        {LOOK_WINDOWS, "pe",     false, false, "-8"                     },
        {LOOK_WINDOWS, "pe",     true,  false, "a|b c"                  },
        {LOOK_DISK,    "qcow2",  false, false, "-8"                     },
        {LOOK_DATA,    NULL,     false, false, "-8"                     },
        {LOOK_FOLDER,  NULL,     false, false, "ls|-la|./f"             },
    };
    for (size_t i = 0; i < ARRAY_SIZE(rows); i++) {
        autofree char *got =
            command(rows[i].kind, rows[i].type, rows[i].rest ? rest : NULL, rows[i].terminal);
        assert_string_equal(got, rows[i].want);
    }
}

static void recommendations(void **state)
{
    static const struct {
        enum look_kind kind;
        bool marked;
        enum open_trust want;
    } rows[] = {
        {LOOK_PROGRAM,  false, OPEN_NONE},
        {LOOK_APPIMAGE, false, OPEN_NONE},
        {LOOK_PACKAGE,  false, OPEN_NONE},
        {LOOK_SCRIPT,   false, OPEN_SOME},
        {LOOK_SCRIPT,   true,  OPEN_NONE},
        {LOOK_ARCHIVE,  true,  OPEN_SOME},
        {LOOK_DATA,     false, OPEN_NONE},
    };
    for (size_t i = 0; i < ARRAY_SIZE(rows); i++) {
        struct look l = {.kind = rows[i].kind, .marked = rows[i].marked};
        const char *why = NULL;
        assert_int_equal(open_recommend(&l, &why), rows[i].want);
        assert_non_null(why);
    }
    /* whatever it is, the host's own network is nothing to recommend */
    for (int k = LOOK_EMPTY; k <= LOOK_DATA; k++) {
        struct look l = {.kind = (enum look_kind)k};
        const char *why;
        assert_int_not_equal(open_recommend(&l, &why), OPEN_FULL);
    }
}

static void trust_words(void **state)
{
    enum open_trust t = OPEN_FULL;
    assert_int_equal(open_trust_find("none", &t), 0);
    assert_int_equal(t, OPEN_NONE);
    assert_int_equal(open_trust_find("None", &t), -EINVAL);
    assert_int_equal(open_trust_find("", &t), -EINVAL);
}

static void names_inside(void **state)
{
    static const struct {
        const char *path, *want;
    } rows[] = {
        {"/a/b/setup.run", "setup.run" },
        {"dir/",           "dir"       },
        {"-rf",            "_rf"       },
        {".hidden",        "_hidden"   },
        {"a b:c\n$(x)",    "a_b_c___x_"},
        {"\303\274.sh",    "__.sh"     },
        {"/",              "file"      },
        {"",               "file"      },
    };
    for (size_t i = 0; i < ARRAY_SIZE(rows); i++) {
        autofree char *got = open_name_inside(rows[i].path);
        assert_string_equal(got, rows[i].want);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(commands),
        cmocka_unit_test(recommendations),
        cmocka_unit_test(trust_words),
        cmocka_unit_test(names_inside),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
