/* Disks of strangers: what leads to other files is refused before and after qemu-img. */
#include "images/disk_base.h"

#include "base/spawn.h"

#include "tests/unit/unit.h"

#include <fcntl.h>
#include <sys/stat.h>

static enum disk_format format;
static uint64_t size;
static struct error e;

static int read_head(const void *head, size_t length)
{
    return disk_base_read(head, length, 1 << 20, &format, &size, &e);
}

/* A header of version 3 for a disk of 3 MiB. */
static void make_qcow2(unsigned char h[512])
{
    memset(h, 0, 512);
    memcpy(h, "QFI\xfb\0\0\0\3", 8);
    h[24 + 5] = 0x30;
    h[103] = 104;
}

static void formats(void **state)
{
    unsigned char h[512] = {0xeb, 0x63};
    assert_int_equal(read_head(h, sizeof(h)), 0);
    assert_int_equal(format, DISK_RAW);
    assert_int_equal(size, 1 << 20);
    make_qcow2(h);
    assert_int_equal(read_head(h, sizeof(h)), 0);
    assert_int_equal(format, DISK_QCOW2);
    assert_int_equal(size, 3 << 20);
    h[7] = 2;
    h[103] = 0;
    assert_int_equal(read_head(h, 72), 0);
    assert_int_equal(disk_base_read("", 0, 0, &format, &size, &e), -EBADMSG);
    assert_int_equal(disk_base_read("", 0, (uint64_t)1 << 50, &format, &size, &e), -EBADMSG);
}

static void leads_elsewhere(void **state)
{
    unsigned char h[512];
    make_qcow2(h);
    h[15] = 1; /* a backing file's place */
    assert_int_equal(read_head(h, sizeof(h)), -EPERM);
    make_qcow2(h);
    h[79] = 4; /* a data file */
    assert_int_equal(read_head(h, sizeof(h)), -EPERM);
    h[7] = 2; /* version 2 has no such field: what stands there is something else */
    assert_int_equal(read_head(h, sizeof(h)), 0);
}

static void broken(void **state)
{
    unsigned char h[512];
    make_qcow2(h);
    assert_int_equal(read_head(h, 100), -EBADMSG);
    h[7] = 4;
    assert_int_equal(read_head(h, sizeof(h)), -EBADMSG);
    make_qcow2(h);
    h[72] = 0x80; /* a feature of the future */
    assert_int_equal(read_head(h, sizeof(h)), -EBADMSG);
    make_qcow2(h);
    h[79] = 2;
    assert_int_equal(read_head(h, sizeof(h)), -EBADMSG);
    make_qcow2(h);
    h[35] = 2;
    assert_int_equal(read_head(h, sizeof(h)), -ENOTSUP);
    make_qcow2(h);
    h[24] = 0xff;
    assert_int_equal(read_head(h, sizeof(h)), -EBADMSG);
}

static void foreign(void **state)
{
    static const char *const heads[] = {"KDMV", "# Disk DescriptorFile", "vhdxfile", "conectix",
                                        "BZh9", "\x1f\x8b\x08"};
    for (size_t i = 0; i < ARRAY_SIZE(heads); i++)
        assert_int_equal(read_head(heads[i], strlen(heads[i])), -EMEDIUMTYPE);
    unsigned char vdi[512] = {0};
    memcpy(vdi + 64, "\x7f\x10\xda\xbe", 4);
    assert_int_equal(read_head(vdi, sizeof(vdi)), -EMEDIUMTYPE);
    assert_int_equal(read_head(vdi, 64), 0);
}

static int agree(const char *json)
{
    const struct disk_base b = {.format = DISK_QCOW2, .size = 3 << 20};
    return disk_base_agree(&b, json, strlen(json), &e);
}

static void qemu_agrees(void **state)
{
    assert_int_equal(agree("{\"format\":\"qcow2\",\"virtual-size\":3145728}"), 0);
    assert_int_equal(agree("{\"format\":\"raw\",\"virtual-size\":3145728}"), -EBADMSG);
    assert_int_equal(agree("{\"format\":\"qcow2\",\"virtual-size\":3145727}"), -EBADMSG);
    assert_int_equal(agree("{\"format\":\"qcow2\",\"virtual-size\":\"3145728\"}"), -EBADMSG);
    assert_int_equal(
        agree(
            "{\"format\":\"qcow2\",\"virtual-size\":3145728,\"backing-filename\":\"/etc/shadow\"}"),
        -EPERM);
    assert_int_equal(agree("{\"format\":\"qcow2\",\"virtual-size\":3145728,"
                           "\"format-specific\":{\"data\":{\"data-file\":\"/etc/shadow\"}}}"),
                     -EPERM);
    assert_int_equal(agree("{\"format\":\"qcow2\",\"virtual-size\":3145728,"
                           "\"format-specific\":{\"data\":{\"corrupt\":true}}}"),
                     -EBADMSG);
    assert_int_equal(agree("{\"format\":\"raw\",\"format\":\"qcow2\",\"virtual-size\":3145728}"),
                     -EBADMSG);
    assert_int_equal(agree("nonsense"), -EBADMSG);
    assert_int_equal(agree(""), -EBADMSG);
}

static void what_it_opens(void **state)
{
    char place[] = "/tmp/cdt-base.XXXXXX", name[64], link[64];
    struct disk_base b = {.fd = FD_NONE};
    assert_non_null(mkdtemp(place));
    assert_true(disk_base_open(place, &b, &e) < 0);
    snprintf(name, sizeof(name), "%s/pipe", place);
    assert_int_equal(mkfifo(name, 0600), 0);
    assert_int_equal(disk_base_open(name, &b, &e), -EINVAL); /* and does not wait for a writer */
    unlink(name);
    assert_int_equal(disk_base_open(name, &b, &e), -ENOENT);
    assert_int_equal(disk_base_open("/dev/null", &b, &e), -EINVAL);

    FILE *f = fopen(name, "w");
    assert_non_null(f);
    assert_int_equal(ftruncate(fileno(f), 8192), 0);
    fclose(f);
    snprintf(link, sizeof(link), "%s/link", place);
    assert_int_equal(symlink("pipe", link), 0);
    assert_int_equal(disk_base_open(link, &b, &e), 0);
    assert_string_equal(b.path, name);
    assert_int_equal(b.size, 8192);
    disk_base_done(&b);
    assert_int_equal(disk_base_open_as(name, DISK_QCOW2, &b, &e), -EMEDIUMTYPE);

    /* a guest has written to the start of its raw disk what would read this machine's files */
    unsigned char h[512];
    make_qcow2(h);
    h[15] = 1;
    f = fopen(name, "r+");
    assert_non_null(f);
    assert_int_equal(fwrite(h, sizeof(h), 1, f), 1);
    fclose(f);
    assert_int_equal(disk_base_open(name, &b, &e), -EPERM);
    assert_non_null(strstr(e.text, "convert -O qcow2"));
    assert_int_equal(disk_base_open_as(name, DISK_QCOW2, &b, &e), -EPERM);
    assert_int_equal(disk_base_open_raw(name, &b, &e), -EPERM); /* what it has to become at once */
    assert_non_null(strstr(e.text, "convert -O raw"));
    assert_int_equal(disk_base_open_as(name, DISK_RAW, &b, &e), 0);
    assert_int_equal(b.format, DISK_RAW);
    assert_int_equal(b.size, 8192);
    disk_base_done(&b);

    static const char *const others[] = {"KDMV\0\0\0", "vhdxfile", "QFI\xfb\0\0\0\3"};
    for (size_t i = 0; i < sizeof(others) / sizeof(others[0]); i++) {
        make_qcow2(h);
        memcpy(h, others[i], 8);
        f = fopen(name, "r+");
        assert_non_null(f);
        assert_int_equal(fwrite(h, sizeof(h), 1, f), 1);
        fclose(f);
        assert_int_equal(disk_base_open_raw(name, &b, &e), -EMEDIUMTYPE);
        assert_non_null(strstr(e.text, "convert -O raw"));
    }
    assert_int_equal(truncate(name, 0), 0);
    assert_int_equal(truncate(name, 8192), 0);
    assert_int_equal(disk_base_open_raw(name, &b, &e), 0);
    assert_int_equal(b.size, 8192);
    disk_base_done(&b);
    unlink(link);
    unlink(name);
    rmdir(place);
}

static char *qemu_says(const char *verb, const char *overlay)
{
    const char *const argv[] = {"qemu-img", verb, "--output=json", overlay, NULL};
    char *said = NULL;
    int status = -1;
    assert_int_equal(spawn_run(argv, 30000, 65536, &status, &said, &e), 0);
    assert_int_equal(status, 0);
    return said;
}

/* What we wrote by hand is whole to those who know the format. */
static void qemu_reads(const char *overlay, const char *base, uint64_t bytes)
{
    autofree char *check = qemu_says("check", overlay), *info = qemu_says("info", overlay);
    autofree char *backing = str_format("\"backing-filename\": \"%s\"", base);
    autofree char *seen = str_format("\"virtual-size\": %llu,", (unsigned long long)bytes);
    assert_non_null(strstr(check, "\"check-errors\": 0"));
    assert_null(strstr(check, "\"leaks\""));
    assert_non_null(strstr(info, backing));
    assert_non_null(strstr(info, "\"backing-filename-format\": \"raw\""));
    assert_non_null(strstr(info, seen));
}

/* Of any size; the largest has a map of a mebibyte. */
static void overlays_of_sizes(void **state)
{
    static const uint64_t sizes[] = {
        512,          1000, (uint64_t)512 << 20, ((uint64_t)512 << 20) + 1, (uint64_t)3 << 40,
        DISK_SIZE_MAX};
    char place[] = "/tmp/cdt-base.XXXXXX";
    if (access("/usr/bin/qemu-img", X_OK) < 0)
        skip();
    assert_non_null(mkdtemp(place));
    autofree char *base = str_join_path(place, "base"), *overlay = str_join_path(place, "overlay");
    autoclose int below = open(base, O_RDWR | O_CREAT | O_EXCL | O_CLOEXEC, 0600);
    assert_int_equal(ftruncate(below, 512), 0);
    for (size_t i = 0; i < ARRAY_SIZE(sizes); i++) {
        autoclose int fd = open(overlay, O_RDWR | O_CREAT | O_EXCL | O_CLOEXEC, 0600);
        assert_int_equal(disk_overlay_write(fd, base, DISK_RAW, sizes[i], &e), 0);
        qemu_reads(overlay, base, (sizes[i] + 511) / 512 * 512);
        unlink(overlay);
    }
    /* with nothing below it stands alone, and is taken as a disk of somebody's */
    autoclose int alone = open(overlay, O_RDWR | O_CREAT | O_EXCL | O_CLOEXEC, 0600);
    struct disk_base blank = {.fd = FD_NONE};
    assert_int_equal(disk_overlay_write(alone, NULL, DISK_QCOW2, (uint64_t)16 << 30, &e), 0);
    assert_int_equal(disk_base_open(overlay, &blank, &e), 0);
    assert_int_equal(blank.format, DISK_QCOW2);
    assert_int_equal(blank.size, (uint64_t)16 << 30);
    disk_base_done(&blank);
    unlink(overlay);
    assert_int_equal(disk_overlay_write(below, "base", DISK_RAW, 512, &e), -EINVAL);
    assert_int_equal(disk_overlay_write(below, base, DISK_RAW, DISK_SIZE_MAX + 1, &e), -EINVAL);
    unlink(base);
    assert_int_equal(rmdir(place), 0);
}

/* With the real qemu-img, where it is installed. */
static void an_overlay(void **state)
{
    char place[] = "/tmp/cdt-base.XXXXXX", head[4096];
    struct disk_base b = {.fd = FD_NONE}, made = {.fd = FD_NONE};
    struct stat before, after;
    if (access("/usr/bin/qemu-img", X_OK) < 0)
        skip();
    assert_non_null(mkdtemp(place));
    autofree char *base = str_join_path(place, "a:b,c"), *overlay = str_join_path(place, "overlay");
    FILE *f = fopen(base, "w");
    assert_non_null(f);
    assert_int_equal(ftruncate(fileno(f), 1 << 20), 0);
    fclose(f);
    assert_int_equal(stat(base, &before), 0);
    assert_int_equal(disk_base_open(base, &b, &e), 0);
    assert_int_equal(disk_overlay_make(&b, overlay, 512, &e), -EINVAL);
    assert_int_equal(disk_overlay_make(&b, overlay, 0, &e), 0);
    assert_int_equal(disk_overlay_make(&b, overlay, 0, &e), -EEXIST);
    assert_int_equal(stat(base, &after), 0);
    assert_int_equal(before.st_mtim.tv_nsec, after.st_mtim.tv_nsec);
    assert_int_equal(before.st_size, after.st_size);
    assert_int_equal(disk_base_open(overlay, &made, &e), -EPERM); /* it leads to another file */
    autoclose int fd = open(overlay, O_RDONLY | O_CLOEXEC);
    assert_int_equal(pread(fd, head, sizeof(head), 0), sizeof(head));
    assert_memory_equal(head, "QFI\xfb", 4);
    assert_non_null(memmem(head, sizeof(head), base, strlen(base)));
    qemu_reads(overlay, base, 1 << 20);
    unlink(overlay);

    /* another file under the base's name: the overlay is not left behind */
    autofree char *other = str_join_path(place, "other");
    f = fopen(other, "w");
    assert_non_null(f);
    assert_int_equal(ftruncate(fileno(f), 1 << 20), 0);
    fclose(f);
    assert_int_equal(rename(other, base), 0);
    assert_true(disk_overlay_make(&b, overlay, 0, &e) < 0);
    assert_int_equal(access(overlay, F_OK), -1);
    disk_base_done(&b);
    unlink(base);
    assert_int_equal(rmdir(place), 0);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(formats),     cmocka_unit_test(leads_elsewhere),
        cmocka_unit_test(broken),      cmocka_unit_test(foreign),
        cmocka_unit_test(qemu_agrees), cmocka_unit_test(what_it_opens),
        cmocka_unit_test(an_overlay),  cmocka_unit_test(overlays_of_sizes),
    };
    return cmocka_run_group_tests_name("disk_base", tests, NULL, NULL);
}
