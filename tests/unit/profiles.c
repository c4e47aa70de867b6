/* Loading through layers: who wins, drop-ins, inheritance, masks, and errors that say where. */
#include "tests/unit/unit.h"

#include "base/file.h"
#include "profiles/entries.h"
#include "profiles/settings.h"

#include <fcntl.h>
#include <sys/stat.h>

/* Three layers below one temporary folder. */
struct layers {
    char root[64];
    struct profile_path path;
    struct settings s;
    struct error e;
};

static int set_up(void **state)
{
    struct layers *l = mem_zero(1, sizeof(*l));
    strcpy(l->root, "/tmp/cofferdam-unit-XXXXXX");
    assert_non_null(mkdtemp(l->root));
    static const char *const names[] = {"shipped", "system", "user"};
    for (size_t i = 0; i < ARRAY_SIZE(names); i++)
        l->path.dirs[i] = str_join_path(l->root, names[i]);
    settings_init(&l->s);
    *state = l;
    return 0;
}

static int tear_down(void **state)
{
    struct layers *l = *state;
    file_remove_tree(AT_FDCWD, l->root);
    settings_done(&l->s);
    profile_path_done(&l->path);
    free(l);
    return 0;
}

/* Writes a file below the root with all its folders. */
static void put(struct layers *l, const char *name, const char *text)
{
    autofree char *path = str_join_path(l->root, name);
    autofree char *folder = str_dup(path);
    *strrchr(folder, '/') = '\0';
    assert_int_equal(file_make_dirs(folder, 0700), 0);
    assert_int_equal(file_write_whole(AT_FDCWD, path, text, strlen(text), 0600, false), 0);
}

static void put_link(struct layers *l, const char *name, const char *to)
{
    put(l, name, "");
    autofree char *path = str_join_path(l->root, name);
    assert_int_equal(unlink(path), 0);
    assert_int_equal(symlink(to, path), 0);
}

static void load(struct layers *l, const char *name)
{
    if (profile_load(&l->path, name, &l->s, &l->e) < 0)
        fail_msg("%s", l->e.text);
}

static void assert_refused(struct layers *l, const char *name, int code, const char *text)
{
    int r = profile_load(&l->path, name, &l->s, &l->e);
    if (r != code || !strstr(l->e.text, text))
        fail_msg("%d \"%s\" instead of %d \"%s\"", r, l->e.text, code, text);
}

static void assert_setting(struct layers *l, enum key_id key, const char *value, const char *origin)
{
    assert_string_equal(settings_text(&l->s, key), value);
    assert_string_equal(settings_origin(&l->s, key), origin);
}

static void test_the_strongest_layer_wins_whole(void **state)
{
    struct layers *l = *state;
    put(l, "shipped/a.ini", "[network]\nmode = host\n[resources]\npids = 5\n");
    load(l, "a");
    assert_setting(l, KEY_NETWORK_MODE, "host", "a.ini:2");
    settings_done(&l->s);
    settings_init(&l->s);
    put(l, "user/profiles/a.ini", "# mine\n\n[resources]\npids = 7\n");
    load(l, "a");
    assert_setting(l, KEY_RESOURCES_PIDS, "7", "a.ini:4");
    assert_true(settings_is_default(&l->s, KEY_NETWORK_MODE));
}

static void test_drop_ins_in_order(void **state)
{
    struct layers *l = *state;
    put(l, "shipped/a.ini", "[files]\nmount = /base\n[resources]\npids = 1\n");
    put(l, "user/profiles/a.ini.d/10-x.ini", "[resources]\npids = 4\n[files]\nmount = /user\n");
    put(l, "system/profiles/a.ini.d/20-y.ini", "[resources]\npids = 3\n[files]\nmount = /y\n");
    put(l, "system/profiles/a.ini.d/10-x.ini", "[resources]\npids = 2\n[files]\nmount = /gone\n");
    put(l, "system/profiles/a.ini.d/ignored.txt", "nonsense");
    load(l, "a");
    assert_setting(l, KEY_RESOURCES_PIDS, "4", "a.ini.d/10-x.ini:2");
    autofree char *mounts = strv_join(settings_list(&l->s, KEY_FILES_MOUNT), " ");
    assert_string_equal(mounts, "/base /y /user");
}

static void test_a_drop_in_resets_and_masks(void **state)
{
    struct layers *l = *state;
    put(l, "shipped/a.ini", "[files]\nmount = /a /b\n");
    put(l, "system/profiles/a.ini.d/10.ini", "[files]\nmount =\nmount = /c\n");
    put(l, "system/profiles/a.ini.d/20.ini", "[network]\nmode = host\n");
    put_link(l, "user/profiles/a.ini.d/20.ini", "/dev/null");
    load(l, "a");
    autofree char *mounts = strv_join(settings_list(&l->s, KEY_FILES_MOUNT), " ");
    assert_string_equal(mounts, "/c");
    assert_true(settings_is_default(&l->s, KEY_NETWORK_MODE));
}

static void test_a_mask_hides_a_profile(void **state)
{
    struct layers *l = *state;
    put(l, "shipped/a.ini", "[network]\nmode = host\n");
    put_link(l, "system/profiles/a.ini", "/dev/null");
    assert_refused(l, "a", -ENOENT, "masked by");
    put_link(l, "user/profiles/b.ini", "/etc/passwd");
    assert_refused(l, "b", -ELOOP, "is a link");
}

static void test_inheritance(void **state)
{
    struct layers *l = *state;
    put(l, "shipped/base.ini", "[files]\nmount = /a\n[resources]\npids = 1\nmemory = 1G\n");
    put(l, "user/profiles/base.ini.d/x.ini", "[resources]\nmemory = 2G\n");
    put(l, "user/profiles/top.ini",
        "[profile]\ninherit = base\n[files]\nmount = /b\n[resources]\npids = 2\n");
    load(l, "top");
    assert_setting(l, KEY_RESOURCES_PIDS, "2", "top.ini:6");
    assert_setting(l, KEY_RESOURCES_MEMORY, "2G", "base.ini.d/x.ini:2");
    autofree char *mounts = strv_join(settings_list(&l->s, KEY_FILES_MOUNT), " ");
    assert_string_equal(mounts, "/a /b");
}

static void test_circles_end(void **state)
{
    struct layers *l = *state;
    put(l, "shipped/a.ini", "[profile]\ninherit = b\n");
    put(l, "shipped/b.ini", "[profile]\ninherit = a\n");
    put(l, "shipped/self.ini", "[profile]\ninherit = self\n");
    put(l, "shipped/c.ini", "[profile]\ninherit = nobody\n");
    assert_refused(l, "a", -ELOOP, "inherits itself, through b");
    assert_refused(l, "self", -ELOOP, "drop-in");
    assert_refused(l, "c", -ENOENT, "there is no profile \"nobody\"");
    assert_non_null(strstr(l->e.text, "c.ini: "));
    for (int i = 0; i < 40; i++) {
        autofree char *name = str_format("shipped/n%d.ini", i);
        autofree char *text = str_format("[profile]\ninherit = n%d\n", i + 1);
        put(l, name, text);
    }
    assert_refused(l, "n0", -ELOOP, "more than");
}

static void test_errors_say_where_and_what_was_meant(void **state)
{
    struct layers *l = *state;
    static const struct {
        const char *text, *says;
    } rows[] = {
        {"[isolatoin]\nboundary = vm\n",
         ":1: there is no section [isolatoin]; did you mean [isolation]?"                                      },
        {"[network]\nmode = none\nmod = x\n",
         ":3: there is no key network.mod; did you mean network.mode?"                                         },
        {"[isolation]\nmemory = 1G\n",                      "did you mean resources.memory?"                   },
        {"\n\nmode = none\n",                               ":3: a key outside of any [section]"               },
        {"[network]\nnonsense\n",                           ":2: neither [section] nor key = value"            },
        {"[network]\nnonsense\nmode = wrong\n",             ":2: neither"                                      },
        {"[network] mode = none\n",                         ":1: a section is"                                 },
        {"[network\nmode = none\n",                         ":1: a section is"                                 },
        {"[network]\nmode = all\n",                         ":2: network.mode: \"all\" is none of"             },
        {"[network]\nmode = none\n  host\n",                ":3: network.mode takes one value"                 },
        {"[files]\nmount = /a\n  hide = /b\n",              ":3: a key begins in the first column"             },
        {"[files]\nmount = /a\n  [network]\nmode = host\n", ":3: a section begins in the first"                },
        {"[workload]\ncommand = x\n",                       ":2: workload.command belongs into a workload file"},
        {"[files]\nmount = \"/a\n",                         ":2: files.mount: a quote"                         },
    };
    for (size_t i = 0; i < ARRAY_SIZE(rows); i++) {
        put(l, "user/profiles/x.ini", rows[i].text);
        assert_refused(l, "x", -EINVAL, rows[i].says);
        assert_non_null(strstr(l->e.text, "/user/profiles/x.ini:"));
    }
    put(l, "shipped/contained.ini", "");
    assert_refused(l, "contaned", -ENOENT, "did you mean \"contained\"?");
    assert_refused(l, "../contained", -ENOENT, "there is no profile");
    assert_refused(l, "", -ENOENT, "there is no profile");
}

static void test_what_inih_would_do_in_silence(void **state)
{
    struct layers *l = *state;
    autofree char *longer = str_format("[profile]\ndescription = %05000d\n", 0);
    put(l, "user/profiles/long.ini", longer);
    assert_refused(l, "long", -EINVAL, ":2: the line is longer than");
    /* without a newline at its end, too */
    longer[strlen(longer) - 1] = '\0';
    put(l, "user/profiles/long.ini", longer);
    assert_refused(l, "long", -EINVAL, ":2: the line is longer than");

    struct entries n;
    static const char nul[] = "[network]\nmode = none\0host\n";
    assert_int_equal(entries_parse(nul, sizeof(nul) - 1, "x", "x", KEY_IN_PROFILE, &n, &l->e),
                     -EINVAL);
    assert_string_equal(l->e.text, "x:2: a NUL byte");

    put(l, "user/profiles/semicolon.ini", "[profile]\ndescription = a ; b # c\n; no\n  # no\n");
    /* some builds of inih cannot leave it alone; then it has to be refused */
    if (profile_load(&l->path, "semicolon", &l->s, &l->e) == 0)
        assert_setting(l, KEY_PROFILE_DESCRIPTION, "a ; b # c", "semicolon.ini:2");
    else
        assert_non_null(strstr(l->e.text, ":2: this build's parser would cut the line"));
}

static void test_lists_go_on_over_lines(void **state)
{
    struct layers *l = *state;
    put(l, "user/profiles/x.ini",
        "\xef\xbb\xbf[files]\r\nmount = /a\r\n\t/b\r\n   /c /d\r\n\r\n  # said apart\r\n  /e\r\n"
        "[network]\n  mode = host\n[files]\nmount = /f");
    load(l, "x");
    autofree char *mounts = strv_join(settings_list(&l->s, KEY_FILES_MOUNT), " ");
    assert_string_equal(mounts, "/a /b /c /d /e /f");
    assert_string_equal(l->s.of[KEY_FILES_MOUNT].origins[4], "x.ini:7");
    assert_setting(l, KEY_NETWORK_MODE, "host", "x.ini:9");
}

static void test_files_that_are_none(void **state)
{
    struct layers *l = *state;
    put(l, "user/profiles/x.ini", "[network]\n");
    autofree char *path = str_join_path(l->root, "user/profiles/x.ini");
    assert_int_equal(chmod(path, 0666), 0);
    assert_refused(l, "x", -EPERM, "can be changed by everybody");
    assert_int_equal(unlink(path), 0);
    assert_int_equal(mkfifo(path, 0600), 0);
    assert_refused(l, "x", -EINVAL, "not a regular file");
    assert_int_equal(unlink(path), 0);
    assert_int_equal(mkdir(path, 0700), 0);
    assert_refused(l, "x", -EINVAL, "not a regular file");
    autofree char *big = mem_alloc(ENTRIES_FILE_MAX + 2);
    memset(big, '\n', ENTRIES_FILE_MAX + 1);
    big[ENTRIES_FILE_MAX + 1] = '\0';
    put(l, "user/profiles/big.ini", big);
    assert_refused(l, "big", -EFBIG, "larger than 1 MiB");
}

static void test_workload_files(void **state)
{
    struct layers *l = *state;
    put(l, "shipped/p.ini", "[resources]\npids = 1\nmemory = 1G\n");
    put(l, "user/workloads/w.ini",
        "[workload]\nprofile = p\ncommand = sleep \"1 0\"\nenvironment = A=b c\n  B=d\n"
        "[resources]\npids = 2\n");
    assert_int_equal(workload_load(&l->path, "w", &l->s, &l->e), 0);
    assert_setting(l, KEY_RESOURCES_PIDS, "2", "w.ini:7");
    assert_setting(l, KEY_RESOURCES_MEMORY, "1G", "p.ini:3");
    assert_string_equal(settings_list(&l->s, KEY_WORKLOAD_COMMAND)[1], "1 0");
    assert_string_equal(settings_list(&l->s, KEY_WORKLOAD_ENVIRONMENT)[1], "B=d");
    assert_int_equal(workload_load(&l->path, "v", &l->s, &l->e), -ENOENT);
    assert_non_null(strstr(l->e.text, "there is no workload \"v\""));
    put(l, "user/workloads/x.ini", "[workload]\nprofile = q\n");
    assert_int_equal(workload_load(&l->path, "x", &l->s, &l->e), -ENOENT);
    assert_non_null(strstr(l->e.text, "x.ini: there is no profile \"q\""));
}

static void test_lists(void **state)
{
    struct layers *l = *state;
    struct profile_entry *list = NULL;
    size_t count = 0;
    put(l, "shipped/b.ini", "[profile]\ndescription = shipped\n");
    put(l, "shipped/masked.ini", "");
    put_link(l, "user/profiles/masked.ini", "/dev/null");
    put(l, "user/profiles/b.ini", "[profile]\ndescription = mine\n");
    put(l, "system/profiles/a.ini", "[nonsense]\n");
    assert_int_equal(profile_list(&l->path, "profiles", &list, &count, &l->e), 0);
    assert_int_equal(count, 2);
    assert_string_equal(list[0].name, "a");
    assert_true(list[0].broken);
    assert_non_null(strstr(list[0].why, "a.ini:1: there is no section"));
    assert_string_equal(list[1].name, "b");
    assert_false(list[1].broken);
    assert_string_equal(list[1].why, "mine");
    assert_true(str_ends(list[1].path, "/user/profiles/b.ini"));
    profile_list_free(list, count);
    assert_int_equal(profile_list(&l->path, "workloads", &list, &count, &l->e), 0);
    assert_int_equal(count, 0);
    profile_list_free(list, count);
}

/* The dial as it is shipped: every stop loads, says what it is, and never less than it should. */
static void test_the_shipped_dial(void **state)
{
    struct layers *l = *state;
    struct profile_path shipped = {0};
    assert_int_equal(profile_path_init(&shipped, &l->e), 0);
    free(shipped.dirs[1]);
    free(shipped.dirs[2]);
    shipped.dirs[1] = str_dup("/nonexistent");
    shipped.dirs[2] = str_dup("/nonexistent");
    struct profile_entry *list = NULL;
    size_t count = 0;
    assert_int_equal(profile_list(&shipped, "profiles", &list, &count, &l->e), 0);
    assert_int_equal(count, 9);
    for (size_t i = 0; i < count; i++) {
        if (list[i].broken)
            fail_msg("%s: %s", list[i].name, list[i].why);
        assert_true(strlen(list[i].why) > 10);
    }
    profile_list_free(list, count);

    assert_int_equal(profile_load(&shipped, PROFILE_OF_RUN, &l->s, &l->e), 0);
    assert_string_equal(settings_text(&l->s, KEY_NETWORK_MODE), "none");
    assert_string_equal(settings_text(&l->s, KEY_ISOLATION_SECCOMP), "default");
    assert_null(settings_list(&l->s, KEY_ISOLATION_OPEN)[0]);
    assert_null(settings_list(&l->s, KEY_FILES_MOUNT)[0]);
    settings_done(&l->s);
    settings_init(&l->s);
    assert_int_equal(profile_load(&shipped, "untrusted", &l->s, &l->e), 0);
    assert_string_equal(settings_text(&l->s, KEY_ISOLATION_BOUNDARY), "sandbox");
    settings_done(&l->s);
    settings_init(&l->s);
    assert_int_equal(profile_load(&shipped, "strong", &l->s, &l->e), 0);
    assert_string_equal(settings_text(&l->s, KEY_ISOLATION_BOUNDARY), "microvm");
    assert_string_equal(settings_text(&l->s, KEY_MACHINE_ACCEL), "kvm");
    profile_path_done(&shipped);
}

#define TEST(name) cmocka_unit_test_setup_teardown(name, set_up, tear_down)

int main(void)
{
    const struct CMUnitTest tests[] = {
        TEST(test_the_strongest_layer_wins_whole),
        TEST(test_drop_ins_in_order),
        TEST(test_a_drop_in_resets_and_masks),
        TEST(test_a_mask_hides_a_profile),
        TEST(test_inheritance),
        TEST(test_circles_end),
        TEST(test_errors_say_where_and_what_was_meant),
        TEST(test_what_inih_would_do_in_silence),
        TEST(test_lists_go_on_over_lines),
        TEST(test_files_that_are_none),
        TEST(test_workload_files),
        TEST(test_lists),
        TEST(test_the_shipped_dial),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
