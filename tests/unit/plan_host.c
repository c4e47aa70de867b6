/* Facts of whatever machine this is: what every plan relies on being there. */
#include "app/plan/host.h"
#include "tests/unit/unit.h"

#include <sys/stat.h>

static void test_read(void **state)
{
    struct plan_host h;
    struct error e;
    assert_int_equal(plan_host_read(&h, &e), 0);
    assert_int_equal(h.uid, getuid());
    assert_int_equal(h.gid, getgid());
    assert_true(h.user[0] != '\0');
    assert_int_equal(h.home[0], '/');
    assert_int_equal(h.shell[0], '/');
    assert_true(h.cpus >= 1);
    assert_true(h.memory > 1u << 20);
    assert_true(h.kernel[0] >= '1' && h.kernel[0] <= '9');
    assert_true(strv_has(h.devices, "null"));
    assert_non_null(plan_host_find(&h, "/usr"));
    assert_null(plan_host_find(&h, "/usr/"));
    for (size_t i = 0; i < h.entries_count; i++) {
        struct stat st;
        assert_int_equal(h.entries[i].path[0], '/');
        assert_int_equal(lstat(h.entries[i].path, &st), 0);
        assert_int_equal(S_ISLNK(st.st_mode), h.entries[i].link != NULL);
        assert_true(S_ISLNK(st.st_mode) || S_ISDIR(st.st_mode));
    }
    /* proc is full of mounts nowhere else, but sysfs and the like lie below /sys and /dev */
    assert_true(plan_host_find(&h, "/dev")->split);
    assert_true((h.cgroup == PLAN_CGROUP_NONE) == (strv_length(h.cgroup_controllers) == 0));
    plan_host_done(&h);
    assert_null(h.user);
    plan_host_done(&h);
}

int main(void)
{
    const struct CMUnitTest tests[] = {cmocka_unit_test(test_read)};
    return cmocka_run_group_tests(tests, NULL, NULL);
}
