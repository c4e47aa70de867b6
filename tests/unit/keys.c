/* keys.h and forms.h: the table is whole, names are found or suggested, values are judged. */
#include "tests/unit/unit.h"

#include "profiles/forms.h"
#include "profiles/keys.h"

static void test_every_row_is_whole(void **state)
{
    for (enum key_id i = 0; i < KEY_COUNT; i++) {
        const struct key *k = &keys[i];
        assert_non_null(k->section);
        assert_non_null(k->name);
        assert_non_null(k->synopsis);
        assert_true(strlen(k->doc) > 10 && str_ends(k->doc, "."));
        assert_true(k->files != 0);
        assert_int_equal(k->type == KEY_TYPE_WORD, k->words && k->type != KEY_TYPE_LIST);
        assert_int_equal(key_find(k->section, k->name), i);
        if (k->used_by != 15)
            assert_non_null(k->needs);
    }
    assert_string_equal(keys[KEY_PROFILE_DESCRIPTION].name, "description");
    assert_string_equal(keys[KEY_WORKLOAD_LABELS].name, "labels");
}

/* A default that its own key would refuse could never be written down. */
static void test_every_default_passes_its_check(void **state)
{
    for (enum key_id i = 0; i < KEY_COUNT; i++) {
        struct error e = {0};
        if (keys[i].fallback && *keys[i].fallback && key_check(i, keys[i].fallback, &e) < 0)
            fail_msg("%s.%s: %s", keys[i].section, keys[i].name, e.text);
    }
}

/* One section's rows stand together, as in the file. */
static void test_sections_stand_together(void **state)
{
    for (enum key_id i = 1; i < KEY_COUNT; i++)
        if (!str_equal(keys[i].section, keys[i - 1].section))
            for (enum key_id j = i; j < KEY_COUNT; j++)
                assert_string_not_equal(keys[j].section, keys[i - 1].section);
}

static void test_nearest(void **state)
{
    assert_string_equal(key_nearest("resources", "memry"), "resources.memory");
    assert_string_equal(key_nearest("isolation", "memory"), "resources.memory");
    assert_string_equal(key_nearest("resorces", "memory"), "resources.memory");
    assert_string_equal(key_nearest("resorces", "memroy"), "resources.memory");
    assert_string_equal(key_nearest("machne", "disk"), "machine.disk");
    assert_null(key_nearest("xyzzy", "plugh"));
    assert_null(key_nearest("resources", "foo")); /* not resources.pids: half of it would be new */
    assert_string_equal(key_nearest("xyzzy", "mode"), "network.mode");
    assert_string_equal(key_nearest("", "memory"), "resources.memory");
    assert_int_equal(key_find("resources", "memry"), KEY_COUNT);
}

static void assert_value(enum key_id key, const char *value, int expected)
{
    struct error e = {0};
    int r = key_check(key, value, &e);
    if (r != expected)
        fail_msg("%s = \"%s\": %d instead of %d (%s)", keys[key].name, value, r, expected, e.text);
    assert_int_equal(r < 0, e.text[0] != '\0');
}

static void test_values(void **state)
{
    static const struct {
        enum key_id key;
        const char *good[8], *bad[8];
    } rows[] = {
        {KEY_NETWORK_MODE,           {"none", "host"},                             {"None", "", "all"}            },
        {KEY_RESOURCES_MEMORY,       {"512M", "2GiB", "1.5G"},                     {"-1", "12X", "lots", ""}      },
        {KEY_RESOURCES_CPUS,         {"1", "1.5", "0.25"},                         {"-1", "x", "1,5", ""}         },
        {KEY_ISOLATION_READ_ONLY,    {"yes", "no", "true", "off"},                 {"maybe", ""}                  },
        {KEY_ISOLATION_USER,         {"self", "root", "ranges", "0", "1000"},      {"me", "-1", "1x"}             },
        {KEY_ISOLATION_CAPABILITIES,
         {"none", "default", "net-bind-service", "NET_RAW", "CAP_CHOWN"},
         {"net", "all", ""}                                                                                       },
        {KEY_ISOLATION_OPEN,         {"bpf", "userns"},                            {"everything"}                 },
        {KEY_ISOLATION_HOSTNAME,     {"a", "a-b.c"},                               {"-a", "a b", "a/b", ""}       },
        {KEY_FILES_IMAGE,
         {"host", "dir:/srv/root", "debian:12", "disk:/x.qcow2", "ghcr.io/a/b:c"},
         {"dir:", "dir:x", "a b", "-x", ""}                                                                       },
        {KEY_FILES_MOUNT,
         {"/a", "/a:/b", "/a:/b:ro", "/a:rw", "~/x", ".:/src:rw", "./a:/b", "~"},
         {"a", "/a:b", "/a:/b:xx", "/a:/b/../c", "~root/x", "", "/a:/b:/c"}                                       },
        {KEY_FILES_COPY_IN,          {"/a:/b", "."},                               {"/a:/b:ro", "x"}              },
        {KEY_FILES_TMPFS,            {"/x", "/x:64M"},                             {"x", "/x:", "/x:0", "/x/../y"}},
        {KEY_FILES_HIDE,             {"/opt"},                                     {"/", "opt", "//"}             },
        {KEY_FILES_WORKDIR,          {"/", "/src"},                                {"src", "/a/../b"}             },
        {KEY_LIFECYCLE_RESTART,
         {"no", "always", "on-failure", "on-failure:3"},
         {"yes", "on-failure:", "on-failure:x", "on-failure3"}                                                    },
        {KEY_LIFECYCLE_STOP_SIGNAL,  {"TERM", "SIGINT", "hup", "9"},               {"TERMINATE", ""}              },
        {KEY_LIFECYCLE_TIME_LIMIT,   {"90s", "1h30m", "5"},                        {"soon", "5 parsecs"}          },
        {KEY_CONSOLE_DETACH_KEYS,
         {"default", "docker", "tmux", "ctrl-a d", "^a ^q"},
         {"d", "a b", "ctrl-a", "ctrl-a ctrl-a", "ctrl-1 d"}                                                      },
        {KEY_WORKLOAD_ENVIRONMENT,   {"A=b c", "PATH", "_x="},                     {"=x", "1A=b", "A B=c"}        },
        {KEY_WORKLOAD_LABELS,        {"a=b"},                                      {"a", "=b"}                    },
        {KEY_PROFILE_INHERIT,        {"contained", "a.b-c_d"},                     {"../x", ".x", "a/b"}          },
    };
    for (size_t i = 0; i < ARRAY_SIZE(rows); i++) {
        for (size_t j = 0; j < 8 && rows[i].good[j]; j++)
            assert_value(rows[i].key, rows[i].good[j], 0);
        for (size_t j = 0; j < 8 && rows[i].bad[j]; j++)
            assert_value(rows[i].key, rows[i].bad[j], -EINVAL);
    }
}

static void test_ranges(void **state)
{
    assert_value(KEY_RESOURCES_NICE, "20", -ERANGE);
    assert_value(KEY_RESOURCES_PIDS, "0", -ERANGE);
    assert_value(KEY_RESOURCES_MEMORY, "1K", -ERANGE);
    assert_value(KEY_RESOURCES_CPUS, "0", -ERANGE);
    assert_value(KEY_RESOURCES_IO_WEIGHT, "10001", -ERANGE);
    assert_value(KEY_RESOURCES_PIDS, "99999999999999999999999", -ERANGE);
}

static void test_a_wrong_word_names_the_nearest(void **state)
{
    struct error e = {0};
    key_check(KEY_ISOLATION_BOUNDARY, "microwm", &e);
    assert_non_null(strstr(e.text, "did you mean \"microvm\""));
    key_check(KEY_ISOLATION_BOUNDARY, "zzz\033[31m", &e);
    assert_null(strchr(e.text, '\033'));
    assert_non_null(strstr(e.text, "container, sandbox, microvm, vm"));
}

static void test_forms(void **state)
{
    int signo = 0;
    unsigned capability = 99, most = 99;
    char two[2];
    struct form_mount m = {0};
    enum form_restart restart;
    enum form_user user;
    uint32_t id;
    assert_int_equal(form_signal("SIGKILL", &signo), 0);
    assert_int_equal(signo, 9);
    assert_int_equal(form_signal("65", &signo), -ERANGE);
    assert_int_equal(form_signal("SIGRTMIN+3", &signo), 0);
    assert_int_equal(signo, 37);
    assert_int_equal(form_signal("rtmax-30", &signo), 0);
    assert_int_equal(signo, 34);
    assert_int_equal(form_signal("RTMIN+31", &signo), -ERANGE);
    assert_int_equal(form_signal("RTMIN-1", &signo), -EINVAL);
    assert_int_equal(form_signal("RTMAX+", &signo), -EINVAL);
    assert_int_equal(form_signal("RTM", &signo), -EINVAL);
    assert_int_equal(form_capability("cap_sys_admin", &capability), 0);
    assert_int_equal(capability, 21);
    assert_int_equal(form_capability("checkpoint-restore", &capability), 0);
    assert_int_equal(capability, 40);
    assert_int_equal(form_detach_keys("default", two), 0);
    assert_memory_equal(two, "\035d", 2);
    assert_int_equal(form_detach_keys("docker", two), 0);
    assert_memory_equal(two, "\020\021", 2);
    assert_int_equal(form_restart("on-failure:5", &restart, &most), 0);
    assert_int_equal(restart, FORM_RESTART_ON_FAILURE);
    assert_int_equal(most, 5);
    assert_int_equal(form_user("1000", &user, &id), 0);
    assert_int_equal(user, FORM_USER_ID);
    assert_int_equal(id, 1000);
    assert_int_equal(form_user("4294967295", &user, &id), -ERANGE);
    assert_int_equal(form_mount("./a:/b:rw", true, &m), 0);
    assert_string_equal(m.source, "./a");
    assert_string_equal(m.target, "/b");
    assert_true(m.writable);
    form_mount_done(&m);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_every_row_is_whole),
        cmocka_unit_test(test_every_default_passes_its_check),
        cmocka_unit_test(test_sections_stand_together),
        cmocka_unit_test(test_nearest),
        cmocka_unit_test(test_values),
        cmocka_unit_test(test_ranges),
        cmocka_unit_test(test_a_wrong_word_names_the_nearest),
        cmocka_unit_test(test_forms),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
