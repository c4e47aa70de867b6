/* The store: nothing is committed whose digest nobody has looked at, and nothing half is seen. */
#include "images/store.h"

#include "tests/unit/unit.h"

#include "base/fd.h"
#include "base/file.h"
#include "base/sha256.h"

#include <fcntl.h>
#include <sys/stat.h>

static char place[64];
static struct image_store *store;

static int open_store(void **state)
{
    struct error e;
    const struct image_owner owner = {.how = IMAGE_OWNER_SELF};
    snprintf(place, sizeof(place), "/tmp/cdt-store.XXXXXX");
    assert_non_null(mkdtemp(place));
    return image_store_open(place, true, &owner, &store, &e);
}

static int drop_store(void **state)
{
    image_store_free(store);
    return file_remove_tree(AT_FDCWD, place);
}

static void hash(const char *text, char hex[65])
{
    struct sha256 s;
    unsigned char digest[32];
    sha256_init(&s);
    sha256_add(&s, text, strlen(text));
    sha256_end(&s, digest);
    sha256_hex(digest, hex);
}

static int add(const char *text, const char *hex, uint64_t size)
{
    struct error e = {0};
    /* beside the store: what can be copied unread is */
    autofree char *path = str_format("%s/source-%s", place, hex);
    autoclose int fd = open(path, O_RDWR | O_CREAT | O_TRUNC | O_CLOEXEC, 0600);
    assert_int_equal(fd_write_full(fd, text, strlen(text)), 0);
    int r = image_store_add_layer_blob(store, fd, false, hex, size, &e);
    assert_int_equal(r, -e.code);
    return r;
}

static bool is_there(const char *hex)
{
    struct stat st;
    autofree char *path = str_format("%s/images/blobs/sha256/%s", place, hex);
    return stat(path, &st) == 0;
}

static void a_blob_is_seen_when_it_is_committed(void **state)
{
    char hex[65];
    struct error e;
    hash("content", hex);
    assert_int_equal(add("content", hex, 7), 0);
    assert_false(is_there(hex));
    assert_int_equal(image_store_commit(store, &e), 0);
    assert_true(is_there(hex));
    autoclose int fd = image_store_open_blob(store, hex);
    char text[8] = "";
    assert_int_equal(read(fd, text, sizeof(text)), 7);
    assert_string_equal(text, "content");
}

static void a_wrong_digest_is_found_by_the_commit(void **state)
{
    char hex[65], good[65];
    struct error e = {0};
    hash("content", hex);
    hash("other", good);
    assert_int_equal(add("Content", hex, 7), 0);
    assert_int_equal(add("other", good, 5), 0);
    assert_int_equal(image_store_commit(store, &e), -EBADMSG);
    assert_non_null(strstr(e.text, "has the digest"));
    assert_false(is_there(hex));
    assert_false(is_there(good));
    assert_int_equal(image_store_settle(store, &e), -EBADMSG);
}

static void a_wrong_size_is_found_at_once(void **state)
{
    char hex[65];
    hash("content", hex);
    assert_int_equal(add("content", hex, 6), -EBADMSG);
    assert_int_equal(add("content", hex, 8), -EBADMSG);
    assert_int_equal(add("content", hex, UINT64_MAX - 1), -EBADMSG);
}

/* It is copied no earlier than it is read. */
static void a_source_that_changes_later_is_found(void **state)
{
    char hex[65];
    struct error e = {0};
    hash("content", hex);
    assert_int_equal(add("content", hex, 7), 0);
    autofree char *path = str_format("%s/source-%s", place, hex);
    assert_int_equal(file_put(AT_FDCWD, path, "another and longer"), 0);
    assert_int_equal(image_store_commit(store, &e), -EBADMSG);
    assert_int_equal(file_put(AT_FDCWD, path, "COntent and longer"), 0);
    assert_int_equal(truncate(path, 7), 0);
    assert_int_equal(image_store_commit(store, &e), -EBADMSG);
    assert_int_equal(truncate(path, 3), 0);
    assert_int_equal(image_store_commit(store, &e), -EBADMSG);
    assert_false(is_there(hex));
}

static void more_layers_than_descriptors(void **state)
{
    char hex[300][65], text[16];
    struct error e = {0};
    for (int i = 0; i < 300; i++) {
        snprintf(text, sizeof(text), "layer %d", i);
        hash(text, hex[i]);
        assert_int_equal(add(text, hex[i], strlen(text)), 0);
    }
    int next = dup(0);
    assert_true(next < 200);
    close(next);
    assert_int_equal(image_store_commit(store, &e), 0);
    for (int i = 0; i < 300; i++)
        assert_true(is_there(hex[i]));
}

static void what_is_no_file_is_no_blob(void **state)
{
    struct error e;
    char hex[65];
    hash("", hex);
    autoclose int dir = open(place, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
    assert_int_equal(image_store_add_layer_blob(store, dir, false, hex, 0, &e), -EINVAL);
    assert_int_equal(image_store_add_blob(store, dir, false, hex, 0, NULL, NULL, &e), -EINVAL);
}

static void what_is_not_committed_goes(void **state)
{
    char hex[65];
    hash("content", hex);
    assert_int_equal(add("content", hex, 7), 0);
    image_store_free(store);
    autofree char *path = str_format("%s/images/tmp", place);
    assert_int_equal(rmdir(path), 0);
    const struct image_owner owner = {.how = IMAGE_OWNER_SELF};
    struct error e;
    assert_int_equal(image_store_open(place, false, &owner, &store, &e), 0);
    assert_false(is_there(hex));
}

static int put_name(void *data, struct document_index *i, struct error *e)
{
    return error_set(e, EIO, "no");
}

static void names_move(void **state)
{
    struct document_descriptor d = {
        .kind = DOCUMENT_MANIFEST,
        .media_type = (char *)"application/vnd.oci.image.manifest.v1+json",
        .size = 2,
    };
    struct document_index i = {0};
    struct error e = {0};
    hash("1", d.hex);
    assert_int_equal(image_store_tag(store, "a:1", &d, &e), 0);
    assert_int_equal(image_store_tag(store, "b:1", &d, &e), 0);
    hash("2", d.hex);
    assert_int_equal(image_store_tag(store, "a:1", &d, &e), 0);
    assert_int_equal(image_store_edit_index(store, put_name, NULL, &e), -EIO);
    assert_int_equal(image_store_read_index(store, &i, &e), 0);
    unsigned a = 0, b = 0;
    for (size_t n = 0; n < i.count; n++) {
        a += str_equal(i.list[n].name, "a:1") && memcmp(i.list[n].hex, d.hex, 65) == 0;
        b += str_equal(i.list[n].name, "b:1") && memcmp(i.list[n].hex, d.hex, 65) != 0;
    }
    assert_int_equal(a, 1);
    assert_int_equal(b, 1);
    document_index_done(&i);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup_teardown(a_blob_is_seen_when_it_is_committed, open_store,
                                        drop_store),
        cmocka_unit_test_setup_teardown(a_wrong_digest_is_found_by_the_commit, open_store,
                                        drop_store),
        cmocka_unit_test_setup_teardown(a_wrong_size_is_found_at_once, open_store, drop_store),
        cmocka_unit_test_setup_teardown(a_source_that_changes_later_is_found, open_store,
                                        drop_store),
        cmocka_unit_test_setup_teardown(more_layers_than_descriptors, open_store, drop_store),
        cmocka_unit_test_setup_teardown(what_is_no_file_is_no_blob, open_store, drop_store),
        cmocka_unit_test_setup_teardown(what_is_not_committed_goes, open_store, drop_store),
        cmocka_unit_test_setup_teardown(names_move, open_store, drop_store),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
