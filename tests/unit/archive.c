/* Archives listed through the module, in its confined child: good, hostile, cut off. */
#include "app/cli/archive.h"
#include "app/cli/confine.h"
#include "base/fd.h"
#include "base/str.h"

#include <fcntl.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>

#include <cmocka.h>

/* One ustar header and its content, padded. */
static void tar_add(struct buf *b, const char *name, const char *link, char type, unsigned mode,
                    const char *content)
{
    char h[512] = {0};
    size_t size = strlen(content);
    snprintf(h, 100, "%s", name);
    snprintf(h + 100, 8, "%07o", mode);
    snprintf(h + 108, 8, "%07o", 0);
    snprintf(h + 116, 8, "%07o", 0);
    snprintf(h + 124, 12, "%011o", (unsigned)size);
    snprintf(h + 136, 12, "%011o", 0);
    h[156] = type;
    snprintf(h + 157, 100, "%s", link);
    memcpy(h + 257, "ustar\00000", 8);
    memset(h + 148, ' ', 8);
    unsigned sum = 0;
    for (size_t i = 0; i < sizeof(h); i++)
        sum += (unsigned char)h[i];
    snprintf(h + 148, 8, "%06o", sum);
    buf_add(b, h, sizeof(h));
    buf_add(b, content, size);
    while (b->used % 512)
        buf_putc(b, '\0');
}

static void tar_end(struct buf *b)
{
    static const char zero[1024];
    buf_add(b, zero, sizeof(zero));
}

static struct archive_list list(const void *data, size_t size, size_t keep)
{
    autoclose int fd = fd_sealed("archive", data, size);
    struct archive_list l;
    struct error e = {0};
    assert_true(fd >= 0);
    int r = archive_list(fd, keep, 10000, &l, &e);
    if (r < 0)
        print_error("%s\n", e.text);
    assert_int_equal(r, 0);
    return l;
}

static void a_tar(void **state)
{
    autobuf b = {0};
    tar_add(&b, "dir/", "", '5', 0755, "");
    tar_add(&b, "dir/configure", "", '0', 0755, "#!/bin/sh\n");
    tar_add(&b, "dir/README", "", '0', 0644, "hello");
    tar_end(&b);
    struct archive_list l = list(b.data, b.used, 2);
    assert_null(l.why);
    assert_int_equal(l.entries, 3);
    assert_int_equal(l.count, 2); /* the rest is counted, not kept */
    assert_int_equal(l.bytes, 15);
    assert_string_equal(l.list[1].path, "dir/configure");
    assert_int_equal(l.list[1].notes, ARCHIVE_PROGRAM);
    assert_int_equal(l.notes, ARCHIVE_PROGRAM);
    assert_false(l.cut);
    archive_list_done(&l);
}

static void hostile_entries(void **state)
{
    autobuf b = {0};
    tar_add(&b, "/etc/passwd", "", '0', 0644, "x");
    tar_add(&b, "a/../../b", "", '0', 0644, "x");
    tar_add(&b, "l", "../../home", '2', 0777, "");
    tar_add(&b, "s", "", '0', 06755, "x");
    tar_add(&b, "d", "", '3', 0600, "");
    tar_add(&b, "n\033]0;x\a", "", '0', 0644, "");
    tar_end(&b);
    struct archive_list l = list(b.data, b.used, 100);
    assert_int_equal(l.count, 6);
    assert_int_equal(l.list[0].notes, ARCHIVE_OUTSIDE);
    assert_int_equal(l.list[1].notes, ARCHIVE_OUTSIDE);
    assert_int_equal(l.list[2].notes, ARCHIVE_LINK_OUTSIDE);
    assert_string_equal(l.list[2].link, "../../home");
    assert_int_equal(l.list[3].notes, ARCHIVE_SETID | ARCHIVE_PROGRAM);
    assert_int_equal(l.list[4].notes, ARCHIVE_DEVICE);
    assert_string_equal(l.list[5].path, "n\033]0;x\a"); /* raw: who shows it escapes it */
    archive_list_done(&l);
}

static void damaged_and_unknown(void **state)
{
    autobuf b = {0};
    tar_add(&b, "whole", "", '0', 0644, "x");
    tar_add(&b, "broken", "", '0', 0644, "x");
    b.data[1024 + 20] = 'y';
    struct archive_list l = list(b.data, b.used, 100);
    assert_int_equal(l.count, 1);
    assert_non_null(l.why);
    archive_list_done(&l);

    l = list("this is no archive at all", 25, 100);
    assert_non_null(l.why);
    assert_int_equal(l.entries, 0);
    archive_list_done(&l);

    l = list("Rar!\x1a\x07\x01\x00", 8, 100); /* a parser with a history: not enabled */
    assert_non_null(l.why);
    archive_list_done(&l);
}

/* Every prefix of an archive, and every byte of its first header turned over. */
static void cut_off_and_turned(void **state)
{
    autobuf b = {0};
    tar_add(&b, "a", "", '0', 0644, "content");
    tar_add(&b, "b", "a", '1', 0644, "");
    for (size_t size = 0; size <= b.used; size += 101) {
        struct archive_list l = list(b.data, size, 10);
        archive_list_done(&l);
    }
    for (size_t i = 0; i < 300; i += 13) {
        b.data[i] = (char)~b.data[i];
        struct archive_list l = list(b.data, b.used, 10);
        archive_list_done(&l);
        b.data[i] = (char)~b.data[i];
    }
}

/* What the reader could do if the library had a hole. */
static void the_reader_is_confined(void **state)
{
#ifdef COFFERDAM_SANITIZED
    skip();
#endif
    int pair[2], status;
    assert_int_equal(fd_pipe(pair, 0), 0);
    pid_t pid = fork();
    if (pid == 0) {
        struct error e;
        char well = 1;
        if (confine_self(&pair[1], 1, 64 << 20, 5, &e) < 0)
            _exit(2);
        well = well && open("/etc/passwd", O_RDONLY | O_CLOEXEC) < 0 && errno == EPERM;
        well = well && fork() < 0 && errno == EPERM;
        well = well && execl("/bin/true", "true", (char *)NULL) < 0 && errno == EPERM;
        well = well && write(STDERR_FILENO, "x", 1) < 0 && errno == EBADF;
        well = well && mmap(NULL, 4096, PROT_READ | PROT_EXEC, MAP_PRIVATE | MAP_ANONYMOUS, -1,
                            0) == MAP_FAILED;
        well = well &&
               mmap(NULL, 128 << 20, PROT_READ, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0) == MAP_FAILED;
        _exit(write(pair[1], &well, 1) != 1);
    }
    char well = 0;
    fd_close(pair[1]);
    assert_int_equal(read(pair[0], &well, 1), 1);
    fd_close(pair[0]);
    assert_int_equal(waitpid(pid, &status, 0), pid);
    assert_int_equal(status, 0);
    assert_int_equal(well, 1);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(a_tar),
        cmocka_unit_test(hostile_entries),
        cmocka_unit_test(damaged_and_unknown),
        cmocka_unit_test(cut_off_and_turned),
        cmocka_unit_test(the_reader_is_confined),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
