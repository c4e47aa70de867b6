/* The vectors of FIPS 180-4's examples, at every split of the input. */
#include "base/fd.h"
#include "base/mem.h"
#include "base/sha256.h"

#include <setjmp.h>
#include <signal.h>
#include <stdarg.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/prctl.h>
#include <sys/wait.h>
#include <unistd.h>

#include <cmocka.h>

static void hex_of(const char *text, size_t size, size_t split, char to[65])
{
    struct sha256 s;
    unsigned char digest[32];
    sha256_init(&s);
    sha256_add(&s, text, split);
    sha256_add(&s, text + split, size - split);
    sha256_end(&s, digest);
    sha256_hex(digest, to);
}

static void vectors(void **state)
{
    static const struct {
        const char *text, *hex;
    } rows[] = {
        {"",                                                         "e3b0c44298fc1c149afbf4c8996fb92427ae41e4649b934ca495991b7852b855"},
        {"abc",                                                      "ba7816bf8f01cfea414140de5dae2223b00361a396177a9cb410ff61f20015ad"},
        {"abcdbcdecdefdefgefghfghighijhijkijkljklmklmnlmnomnopnopq",
         "248d6a61d20638b8e5c026930c3e6039a33ce45964ff2167f6ecedd419db06c1"                                                            },
        {"abcdefghbcdefghicdefghijdefghijkefghijklfghijklmghijklmnhijklmnoijklmnopjklmnopqklmnopqr"
         "lmnopqrsmnopqrstnopqrstu",                        "cf5b16a778af8380036ce59e7b0492370b249b11e8f07a51afac45037afee9d1"},
    };
    for (size_t i = 0; i < ARRAY_SIZE(rows); i++) {
        size_t size = strlen(rows[i].text);
        for (size_t split = 0; split <= size; split++) {
            char hex[65];
            hex_of(rows[i].text, size, split, hex);
            assert_string_equal(hex, rows[i].hex);
        }
    }
}

static void a_million_from_a_file(void **state)
{
    autofree char *text = mem_alloc(1000000);
    memset(text, 'a', 1000000);
    autoclose int fd = fd_sealed("a", text, 1000000);
    char hex[65];
    assert_int_equal(sha256_fd(fd, 1000000, hex), 0);
    assert_string_equal(hex, "cdc76e5c9914fb9281a1c7e284d73e67f1809a48a497200e046d39ccc7112cd0");
    autoclose int again = fd_sealed("a", text, 1000000);
    assert_int_equal(sha256_fd(again, 999999, hex), -EFBIG);
}

/* Two at once are what each is alone, wherever their pieces end, and the first is copied. */
static void two_beside_one_another(void **state)
{
    static const size_t sizes[] = {1, 63, 64, 65, 128, 640, 1000};
    unsigned char data[2][8000], copy[5001], one[32], two[32];
    for (size_t i = 0; i < sizeof(data[0]); i++) {
        data[0][i] = (unsigned char)(i * 7 >> 3);
        data[1][i] = (unsigned char)(i * 13 >> 2);
    }
    for (size_t x = 0; x < ARRAY_SIZE(sizes); x++) {
        for (size_t y = 0; y < ARRAY_SIZE(sizes); y++) {
            struct sha256 pair[2], alone;
            sha256_init(&pair[0]);
            sha256_init(&pair[1]);
            memset(copy, 0x55, sizeof(copy));
            for (size_t n = 0; n < 5; n++)
                sha256_copy_two(&pair[0], copy + n * sizes[x], data[0] + n * sizes[x], sizes[x],
                                &pair[1], data[1] + n * sizes[y], sizes[y]);
            assert_memory_equal(copy, data[0], 5 * sizes[x]);
            assert_int_equal(copy[5 * sizes[x]], 0x55);
            for (size_t l = 0; l < 2; l++) {
                sha256_init(&alone);
                sha256_add(&alone, data[l], 5 * sizes[l ? y : x]);
                sha256_end(&alone, one);
                sha256_end(&pair[l], two);
                assert_memory_equal(one, two, sizeof(one));
            }
        }
    }
}

/* What was copied has the digest, whatever somebody else writes over the original meanwhile. */
static void a_copy_of_what_changes(void **state)
{
    enum { SIZE = 1 << 20, ROUNDS = 20 };
    unsigned char *shared =
        mmap(NULL, SIZE, PROT_READ | PROT_WRITE, MAP_SHARED | MAP_ANONYMOUS, -1, 0);
    assert_ptr_not_equal(shared, MAP_FAILED);
    autofree unsigned char *copy = mem_alloc(SIZE);
    bool same = true;
    pid_t writer = fork();
    assert_true(writer >= 0);
    if (writer == 0) {
        prctl(PR_SET_PDEATHSIG, SIGKILL);
        for (unsigned char c = 0;; c++)
            memset(shared, c, SIZE);
    }
    for (int i = 0; i < ROUNDS; i++) {
        struct sha256 s, again;
        unsigned char one[32], two[32];
        sha256_init(&s);
        sha256_init(&again);
        sha256_copy(&s, copy, shared, SIZE);
        sha256_add(&again, copy, SIZE);
        sha256_end(&s, one);
        sha256_end(&again, two);
        same &= memcmp(one, two, sizeof(one)) == 0;
    }
    kill(writer, SIGKILL);
    waitpid(writer, NULL, 0);
    munmap(shared, SIZE);
    assert_true(same);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(vectors),
        cmocka_unit_test(a_million_from_a_file),
        cmocka_unit_test(two_beside_one_another),
        cmocka_unit_test(a_copy_of_what_changes),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
