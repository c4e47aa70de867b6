/* Who writes the snapshots of a machine whose program makes files in a folder. */
#include "tests/unit/unit.h"

#include "backends/microvm/vmm_hands.h"
#include "base/fd.h"

#include <dirent.h>
#include <fcntl.h>
#include <poll.h>
#include <unistd.h>

enum { PATIENCE_MS = 20000 };

/* As of a folder in which somebody makes files as fast as they are removed. */
struct dirent *readdir(DIR *list)
{
    static struct dirent entry;
    static unsigned n;
    snprintf(entry.d_name, sizeof(entry.d_name), "more-%u", n++);
    return &entry;
}

static void test_a_folder_without_an_end(void **state)
{
    struct plan plan = {
        .machine = {.program = (char *)"/proc/self/exe", .type = (char *)"x"}
    };
    struct vmm_hands hands = {0};
    struct error e = {0};
    int memory, end, guest;
    char path[] = "/tmp/cofferdam-test-XXXXXX";
    assert_non_null(mkdtemp(path));
    autoclose int folder = open(path, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
    assert_true(folder >= 0);
    assert_int_equal(vmm_hands_start(&plan, "", &hands, &e), 0);
    assert_int_equal(vmm_hands_lend(&hands, &folder, 1, &e), 0);
    assert_int_equal(vmm_hands_begin(&hands, folder, FD_NONE, &memory, &end, &e), 0);
    vmm_hands_tell(&hands, true); /* but nothing is there */
    struct pollfd p = {.fd = hands.socket, .events = POLLIN};
    int answers = poll(&p, 1, PATIENCE_MS);
    if (answers == 1)
        assert_int_equal(vmm_hands_hear(&hands, &guest, &e), VMM_HANDS_DONE);
    vmm_hands_end(&hands);
    static const char *const made[] = {"memory", "state"};
    for (size_t i = 0; i < ARRAY_SIZE(made); i++)
        unlinkat(folder, made[i], 0);
    rmdir(path);
    assert_int_equal(answers, 1);
    assert_int_equal(e.code, ENOENT);
}

int main(void)
{
    const struct CMUnitTest tests[] = {cmocka_unit_test(test_a_folder_without_an_end)};
    return cmocka_run_group_tests(tests, NULL, NULL);
}
