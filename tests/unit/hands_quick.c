/* What makes gVisor quicker: its one request that is answered without the kernel, and how it
 * restores. */
#include "tests/unit/unit.h"

#include "backends/oci/hands.h"

#include <linux/membarrier.h>
#include <sys/prctl.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <unistd.h>

static int barrier(int word)
{
    return syscall(SYS_membarrier, word, 0, 0) < 0 ? -errno : 0;
}

static int registered(char *platform)
{
    struct setup s = {0};
    struct plan plan = {.platform = platform};
    long words = syscall(SYS_membarrier, MEMBARRIER_CMD_QUERY, 0, 0);
    if (prctl(PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0) < 0 || hands_quicken(&s, &plan) < 0)
        return 100;
    if (syscall(SYS_membarrier, MEMBARRIER_CMD_QUERY, 0, 0) != words || getppid() <= 0)
        return 101;
    if (barrier(MEMBARRIER_CMD_REGISTER_PRIVATE_EXPEDITED) != 0)
        return 102;
    return -barrier(MEMBARRIER_CMD_PRIVATE_EXPEDITED);
}

/* In a process of its own, which a filter does not leave again. */
static int in_a_child(char *platform)
{
    int status;
    pid_t pid = fork();
    assert_true(pid >= 0);
    if (pid == 0)
        _exit(registered(platform));
    assert_int_equal(waitpid(pid, &status, 0), pid);
    assert_true(WIFEXITED(status));
    return WEXITSTATUS(status);
}

static void test_nothing_is_registered(void **state)
{
    if (syscall(SYS_membarrier, MEMBARRIER_CMD_QUERY, 0, 0) < 0)
        skip();
    assert_int_equal(in_a_child(NULL), EPERM);
    assert_int_equal(in_a_child((char *)"systrap"), EPERM);
}

static void test_who_uses_it_has_it(void **state)
{
    if (syscall(SYS_membarrier, MEMBARRIER_CMD_QUERY, 0, 0) < 0)
        skip();
    assert_int_equal(in_a_child((char *)"kvm"), 0);
}

/* One from memory, of which nothing else differs: gVisor would start each of its programs twice. */
static void test_what_is_restored_says_so(void **state)
{
    struct plan plan = {.id = (char *)"00c0ffee0001"};
    const struct oci_runtime r = {.kind = OCI_RUNSC, .program = "runsc", .restored = true};
    struct oci_words w = {.kind = OCI_RUNSC, .root = "rootfs"};
    autostrv char **restore = oci_argv_restore(&r, plan.id, NULL);
    assert_true(strv_has(restore, "--allow-flag-override"));
    assert_false(strv_has(restore, "--rootless")); /* which it would refuse */
    autofree char *cold = oci_config(&plan, &w);
    w.restored = true;
    autofree char *warm = oci_config(&plan, &w);
    assert_null(strstr(cold, "dev.gvisor"));
    assert_non_null(strstr(warm, "\"dev.gvisor.flag.rootless\":\"true\""));
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_nothing_is_registered),
        cmocka_unit_test(test_who_uses_it_has_it),
        cmocka_unit_test(test_what_is_restored_says_so),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
