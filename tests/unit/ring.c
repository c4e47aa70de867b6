/* Memory between two processes: what comes across, and what neither can do to the other. */
#include "images/ring.h"

#include "tests/unit/unit.h"

#include "base/fd.h"

#include <fcntl.h>
#include <signal.h>
#include <sys/mman.h>
#include <sys/socket.h>
#include <sys/wait.h>

enum { SLOTS = 5 };

static struct ring ring;

static int make(void **state)
{
    return ring_make(&ring, SLOTS);
}

static int drop(void **state)
{
    ring_close(&ring);
    return 0;
}

static unsigned char byte_at(uint64_t at)
{
    return (unsigned char)(at * 2654435761u >> 13);
}

/* The child's whole life: `total` bytes in pieces of odd sizes. */
static void write_all(uint64_t total)
{
    struct ring_end end;
    char *to;
    ring.reader = fd_close(ring.reader);
    if (ring_open_writer(&ring, &end) < 0)
        _exit(1);
    for (uint64_t at = 0, n = 1; at < total; at += n) {
        n = MIN(MIN(n * 7 % 300000 + 1, (uint64_t)RING_SLOT), total - at);
        if (ring_room(&end, &to) < 0)
            _exit(2);
        for (uint64_t i = 0; i < n; i++)
            to[i] = (char)byte_at(at + i);
        if (ring_put(&end, (size_t)n) < 0)
            _exit(3);
    }
    _exit(0);
}

static void everything_comes_across(void **state)
{
    const uint64_t total = 5000001;
    pid_t pid = fork();
    if (pid == 0)
        write_all(total);
    ring.writer = fd_close(ring.writer);
    struct ring_end end;
    const char *seen;
    uint64_t at = 0;
    ssize_t n;
    int status;
    assert_int_equal(ring_open_reader(&ring, &end), 0);
    while ((n = ring_take(&end, &seen)) > 0)
        for (ssize_t i = 0; i < n; i++, at++)
            if ((unsigned char)seen[i] != byte_at(at))
                fail_msg("byte %llu", (unsigned long long)at);
    assert_int_equal(n, 0);
    assert_int_equal(at, total);
    assert_int_equal(ring_take(&end, &seen), 0);
    assert_int_equal(waitpid(pid, &status, 0), pid);
    assert_int_equal(status, 0);
    ring_end_done(&end);
}

static void a_writer_without_a_reader(void **state)
{
    struct ring_end end;
    char *to;
    assert_int_equal(ring_open_writer(&ring, &end), 0);
    for (unsigned i = 0; i < SLOTS; i++) {
        assert_int_equal(ring_room(&end, &to), 0);
        assert_int_equal(ring_put(&end, 1), 0);
    }
    ring.reader = fd_close(ring.reader);
    assert_int_equal(ring_room(&end, &to), -EPIPE);
    end.mine = 1;
    assert_int_equal(ring_put(&end, 1), -EPIPE);
    ring_end_done(&end);
}

/* A writer that is somebody else's says what it likes. */
static void sizes_that_lie(void **state)
{
    static const uint32_t lies[] = {0, RING_SLOT + 1, UINT32_MAX};
    struct ring_end end;
    const char *seen;
    assert_int_equal(ring_open_reader(&ring, &end), 0);
    for (size_t i = 0; i < ARRAY_SIZE(lies); i++) {
        assert_int_equal(fd_write_full(ring.writer, &lies[i], sizeof(lies[i])), 0);
        assert_int_equal(ring_take(&end, &seen), -EPROTO);
    }
    assert_int_equal(fd_write_full(ring.writer, "ab", 2), 0);
    ring.writer = fd_close(ring.writer);
    assert_int_equal(ring_take(&end, &seen), -EPROTO);
    ring_end_done(&end);
}

static bool can_map(int protection)
{
    void *at = mmap(NULL, RING_SLOT, protection, MAP_SHARED, ring.memory, 0);
    if (at == MAP_FAILED)
        return false;
    munmap(at, RING_SLOT);
    return true;
}

static void only_its_maker_writes_what_is_sealed(void **state)
{
    struct ring_end writer, reader;
    char *to;
    const char *seen;
    assert_int_equal(ring_open_writer(&ring, &writer), 0);
    assert_true(can_map(PROT_READ | PROT_WRITE));
    assert_int_equal(ring_seal(&ring), 0);
    assert_false(can_map(PROT_READ | PROT_WRITE));
    assert_int_equal(pwrite(ring.memory, "x", 1, 0), -1);
    assert_int_equal(ring_open_reader(&ring, &reader), 0);
    assert_int_equal(mprotect(reader.slots, RING_SLOT, PROT_READ | PROT_WRITE), -1);
    assert_int_equal(ring_room(&writer, &to), 0);
    memcpy(to, "hashed", 6);
    assert_int_equal(ring_put(&writer, 6), 0);
    assert_int_equal(ring_take(&reader, &seen), 6);
    assert_memory_equal(seen, "hashed", 6);
    ring_end_done(&writer);
    ring_end_done(&reader);
}

/* Else whoever reads what is gone would die of it. */
static void nobody_takes_the_memory_away(void **state)
{
    assert_int_equal(ftruncate(ring.memory, 0), -1);
    assert_int_equal(ftruncate(ring.memory, (off_t)RING_SLOT * SLOTS * 2), -1);
    assert_int_equal(fallocate(ring.memory, FALLOC_FL_PUNCH_HOLE | FALLOC_FL_KEEP_SIZE, 0, 1), 0);
}

static void children_do_not_inherit_it(void **state)
{
    struct ring_end end;
    int pair[2], status;
    assert_int_equal(ring_open_writer(&ring, &end), 0);
    assert_int_equal(fd_pipe(pair, 0), 0);
    pid_t pid = fork();
    if (pid == 0)
        _exit(write(pair[1], end.slots, 1) == -1 && errno == EFAULT ? 0 : 1);
    assert_int_equal(waitpid(pid, &status, 0), pid);
    assert_int_equal(status, 0);
    assert_int_equal(write(pair[1], end.slots, 1), 1);
    fd_close(pair[0]);
    fd_close(pair[1]);
    ring_end_done(&end);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup_teardown(everything_comes_across, make, drop),
        cmocka_unit_test_setup_teardown(a_writer_without_a_reader, make, drop),
        cmocka_unit_test_setup_teardown(sizes_that_lie, make, drop),
        cmocka_unit_test_setup_teardown(only_its_maker_writes_what_is_sealed, make, drop),
        cmocka_unit_test_setup_teardown(nobody_takes_the_memory_away, make, drop),
        cmocka_unit_test_setup_teardown(children_do_not_inherit_it, make, drop),
    };
    signal(SIGPIPE, SIG_IGN);
    return cmocka_run_group_tests(tests, NULL, NULL);
}
