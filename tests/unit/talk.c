/* app/cli/talk.h: requests to a monitor that may go between two of them. */
#include "tests/unit/unit.h"

#include "app/cli/talk.h"
#include "base/fd.h"
#include "console/link.h"
#include "console/state.h"

#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/un.h>

static char folder[] = "/tmp/talk-XXXXXX";
static const struct dirs dirs = {.runtime = folder};

static int make_folder(void **state)
{
    return mkdtemp(folder) ? 0 : -1;
}

static int remove_folder(void **state)
{
    autofree char *inner = str_format("%s/web", folder);
    rmdir(inner);
    return rmdir(folder);
}

/* A monitor's socket where clients of "web" look for it. */
static int listener(struct sockaddr_un *a)
{
    autofree char *path = state_socket_path(&dirs, "web"), *inner = str_format("%s/web", folder);
    mkdir(inner, 0700);
    *a = (struct sockaddr_un){.sun_family = AF_UNIX};
    assert_true(strlen(path) < sizeof(a->sun_path));
    strcpy(a->sun_path, path);
    int fd = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0);
    assert_int_equal(bind(fd, (struct sockaddr *)a, sizeof(*a)), 0);
    assert_int_equal(listen(fd, 1), 0);
    return fd;
}

/* The end comes with the last bytes of an answer: the next request is told, and nobody waits. */
static void test_gone_with_its_answer(void **state)
{
    struct sockaddr_un a;
    struct talk t;
    struct error e;
    struct link monitor;
    autoclose int at = listener(&a);
    assert_int_equal(talk_open(&t, &dirs, "web", &e), 0);
    uint32_t asked = client_ask_state(t.client);
    link_init(&monitor, accept4(at, NULL, NULL, SOCK_NONBLOCK | SOCK_CLOEXEC), false);
    link_put(&monitor, WIRE_STATE, 0, asked, "{}", 2, NULL, 0);
    assert_int_equal(link_send(&monitor), 0);
    while (link_receive(&monitor) > 0) /* what nobody has read would be lost with an error */
        ;
    link_done(&monitor);
    unlink(a.sun_path);

    assert_int_equal(talk_await(&t, asked, &e), 0);
    assert_string_equal(t.state, "{}");
    alarm(20); /* a wait for ever is a failure, not a hang */
    assert_int_equal(talk_await(&t, client_hold(t.client, true), &e), -EPIPE);
    assert_string_equal(e.text, "its monitor is gone");
    assert_int_equal(talk_await(&t, client_hold(t.client, false), &e), -EPIPE);
    alarm(0);
    talk_close(&t);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_gone_with_its_answer),
    };
    return cmocka_run_group_tests(tests, make_folder, remove_folder);
}
