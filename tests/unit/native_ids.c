/* Ranges of ids: never the host's root, never two workloads' at once, given back at the end. */
#include "tests/unit/unit.h"

#include "backends/root/ids.h"
#include "backends/root/check.h"
#include "base/file.h"

#include <fcntl.h>
#include <sys/stat.h>

static char folder[] = "/tmp/unit-ids.XXXXXX";
static char journal[8][300];
static unsigned journalled;

static int on_journal(void *data, const char *kind, const char *what, struct error *e)
{
    assert_string_equal(kind, "ids");
    snprintf(journal[journalled++ % ARRAY_SIZE(journal)], sizeof(journal[0]), "%s", what);
    return 0;
}

static struct launch_env env_of_test(void)
{
    static char ours[64]; /* journals are obeyed only below a folder of this name */
    snprintf(ours, sizeof(ours), "%s/cofferdam", folder);
    assert_int_equal(file_make_dirs(ours, 0700), 0);
    return (struct launch_env){.system_runtime_dir = ours, .journal = on_journal};
}

static struct plan plan_of_root(char *id)
{
    return (struct plan){
        .id = id,
        .map_by = PLAN_MAP_PARENT,
        .uid_map = {{0, 0, 65536}},
        .gid_map = {{0, 0, 65536}},
        .uid_map_count = 1,
        .gid_map_count = 1,
    };
}

static void test_ranges_differ(void **state)
{
    struct launch_env env = env_of_test();
    char id[] = "0123456789ab"; /* the same for all, so that all want the same place first */
    struct plan p = plan_of_root(id);
    struct root_ids ids[8];
    struct error e;
    for (size_t i = 0; i < ARRAY_SIZE(ids); i++) {
        journalled = 0;
        assert_int_equal(root_ids_take(&p, &env, &ids[i], &e), 0);
        assert_true(ids[i].root_inside && ids[i].many);
        uint32_t first = ids[i].uid_map[0].outside;
        assert_true(first >= ROOT_IDS_FIRST && first < 0x80000000u);
        assert_int_equal(first % ROOT_IDS_SIZE, 0);
        assert_int_equal(ids[i].gid_map[0].outside, first);
        assert_true(journalled > 0); /* told before it was made */
        assert_string_equal(journal[(journalled - 1) % ARRAY_SIZE(journal)], ids[i].lock_path);
        for (size_t k = 0; k < i; k++)
            assert_int_not_equal(first, ids[k].uid_map[0].outside);
    }
    for (size_t i = 0; i < ARRAY_SIZE(ids); i++) {
        char path[256];
        snprintf(path, sizeof(path), "%s", ids[i].lock_path);
        assert_int_equal(access(path, F_OK), 0);
        root_ids_release(&ids[i]);
        assert_int_equal(access(path, F_OK), -1);
        root_ids_release(&ids[i]); /* twice is fine */
    }
}

/* What a dead monitor left is free; what a living one holds is not, whoever undoes journals. */
static void test_undo(void **state)
{
    struct launch_env env = env_of_test();
    char id[] = "ba9876543210";
    struct plan p = plan_of_root(id);
    struct root_ids ids;
    struct error e;
    assert_int_equal(root_ids_take(&p, &env, &ids, &e), 0);
    char path[256];
    snprintf(path, sizeof(path), "%s", ids.lock_path);
    assert_int_equal(launch_undo("ids", path, &e), 0);
    assert_int_equal(access(path, F_OK), 0);
    close(ids.lock); /* as the kernel does for a monitor that was killed */
    ids.lock = -1;
    assert_int_equal(launch_undo("ids", path, &e), 0);
    assert_int_equal(access(path, F_OK), -1);
}

static void test_root_outside_is_refused(void **state)
{
    struct launch_env env = env_of_test();
    struct root_ids ids;
    struct error e;
    struct plan p = {
        .map_by = PLAN_MAP_SELF,
        .uid_map = {{0, 0, 1}},
        .gid_map = {{0, 1000, 1}},
        .uid_map_count = 1,
        .gid_map_count = 1,
    };
    assert_int_equal(root_ids_take(&p, &env, &ids, &e), -EPERM);
    p.uid_map[0].outside = 1000;
    p.gid_map[0].outside = 0;
    assert_int_equal(root_ids_take(&p, &env, &ids, &e), -EPERM);
    p.gid_map[0].outside = 1000;
    assert_int_equal(root_ids_take(&p, &env, &ids, &e), 0);
    assert_true(ids.root_inside && !ids.many);
    p.uid_map[0] = (struct plan_id_map){0, 4294967000u, 1000}; /* wraps round to 0 */
    assert_int_equal(root_ids_take(&p, &env, &ids, &e), -EINVAL);
    p.uid_map_count = 0;
    assert_int_equal(root_ids_take(&p, &env, &ids, &e), -EINVAL);
}

static void test_plans_that_are_refused(void **state)
{
    char *argv[] = {(char[]){"true"}, NULL};
    struct plan good = {
        .argv = argv,
        .cwd = (char[]){"/"},
        .namespaces = 0xff,
        .map_by = PLAN_MAP_SELF,
        .uid_map = {{0, 1000, 1}},
        .gid_map = {{0, 1000, 1}},
        .uid_map_count = 1,
        .gid_map_count = 1,
    };
    struct error e;
    assert_int_equal(root_check_plan(&good, &e), 0);
    static const uint32_t musts[] = {PLAN_NS_USER, PLAN_NS_MOUNT, PLAN_NS_PID,
                                     PLAN_NS_NET,  PLAN_NS_UTS,   PLAN_NS_IPC};
    for (size_t i = 0; i < ARRAY_SIZE(musts); i++) {
        struct plan p = good;
        p.namespaces &= ~musts[i];
        assert_int_equal(root_check_plan(&p, &e), -EINVAL);
    }
    struct plan p = good;
    p.uid_map[0].outside = 0;
    assert_int_equal(root_check_plan(&p, &e), -EPERM);
    p = good;
    p.uid_map[0].count = 2; /* nobody may map two by themselves */
    assert_int_equal(root_check_plan(&p, &e), -EINVAL);
    p = good;
    p.network = PLAN_NETWORK_ALLOW;
    assert_int_equal(root_check_plan(&p, &e), -ENOTSUP);
    p.network = PLAN_NETWORK_PRIVATE;
    assert_int_equal(root_check_plan(&p, &e), 0);
    p.namespaces &= ~PLAN_NS_NET;
    assert_int_equal(root_check_plan(&p, &e), -EINVAL);
    p = good;
    p.cwd = (char[]){"/proc/self/fd/7"};
    assert_int_equal(root_check_plan(&p, &e), -EINVAL);
    struct plan_mount relative = {.kind = PLAN_MOUNT_TMPFS, .target = (char[]){"tmp"}};
    p = good;
    p.mounts = &relative;
    p.mounts_count = 1;
    assert_int_equal(root_check_plan(&p, &e), -EINVAL);
}

static int group_setup(void **state)
{
    return mkdtemp(folder) ? 0 : -1;
}

static int group_teardown(void **state)
{
    return file_remove_tree(AT_FDCWD, folder);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_ranges_differ),
        cmocka_unit_test(test_undo),
        cmocka_unit_test(test_root_outside_is_refused),
        cmocka_unit_test(test_plans_that_are_refused),
    };
    return cmocka_run_group_tests(tests, group_setup, group_teardown);
}
