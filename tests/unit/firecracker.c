/* Firecracker's API: what is sent, byte for byte; what is made of answers, whatever they are. */
#include "backends/microvm/firecracker_acpi.h"
#include "backends/microvm/firecracker_requests.h"

#include "backends/microvm/metrics.h"
#include "backends/microvm/said.h"
#include "base/fd.h"
#include "console/state.h"
#include "tests/unit/machines.h"
#include "tests/unit/unit.h"

#include <sys/socket.h>
#include <sys/wait.h>
#include <unistd.h>

/* --- the sequence -------------------------------------------------------------------------------
 */

#define LINE                                                                               \
    "console=ttyS0 quiet panic=-1 reboot=k pci=off i8042.noaux i8042.nomux i8042.dumbkbd " \
    "cryptomgr.notests -- end=reset agent=vsock:1024"
#define PROCESSOR                                                                                \
    "PUT /cpu-config {\"cpuid_modifiers\":[{\"leaf\":\"0x1\",\"subleaf\":\"0x0\",\"flags\":0,"   \
    "\"modifiers\":[{\"register\":\"ecx\",\"bitmap\":\"0bxxxxxxxxxxxxxxxxxxxxxxxxxx0xxxxx\"}]}," \
    "{\"leaf\":\"0x80000001\",\"subleaf\":\"0x0\",\"flags\":0,\"modifiers\":[{\"register\":"     \
    "\"ecx\","                                                                                   \
    "\"bitmap\":\"0bxxxxxxxxxxxxxxxxxxxxxxxxxxxxx0xx\"}]}]}\n"
#define BEFORE                                                                            \
    "PUT /metrics {\"metrics_path\":\"/run/metrics\"}\n"                                  \
    "PUT /machine-config {\"vcpu_count\":2,\"mem_size_mib\":192,\"smt\":false,"           \
    "\"track_dirty_pages\":false}\n" PROCESSOR                                            \
    "PUT /boot-source {\"kernel_image_path\":\"/kernel\",\"initrd_path\":\"/initramfs\"," \
    "\"boot_args\":\"" LINE "\"}\n"                                                       \
    "PUT /drives/root {\"drive_id\":\"root\",\"path_on_host\":\"/root.img\","             \
    "\"is_root_device\":false,\"is_read_only\":true,\"cache_type\":\"Unsafe\","           \
    "\"io_engine\":\"Sync\"}\n"
#define BEHIND                                                                                 \
    "PUT /vsock {\"guest_cid\":3,\"uds_path\":\"/run/vsock\"}\n"                               \
    "PUT /entropy {}\n"                                                                        \
    "PUT /balloon {\"amount_mib\":0,\"deflate_on_oom\":true,\"stats_polling_interval_s\":1}\n" \
    "PUT /actions {\"action_type\":\"InstanceStart\"}\n"

static void test_cold_start(void **state)
{
    struct plan p = machine("/usr/bin/firecracker");
    autofree char *text = shown(firecracker_boot(&p));
    assert_string_equal(text, BEFORE BEHIND);
}

static void test_network_and_template(void **state)
{
    struct plan p = machine("/usr/bin/firecracker");
    p.network = PLAN_NETWORK_PRIVATE;
    autofree char *text = shown(firecracker_boot(&p));
    assert_string_equal(text, BEFORE
                        "PUT /network-interfaces/eth0 {\"iface_id\":\"eth0\",\"host_dev_name\":"
                        "\"tap1\",\"guest_mac\":\"02:cf:45:67:89:ab\"}\n" BEHIND);
    p.machine.cpu_model = (char *)"T2";
    autofree char *with = shown(firecracker_boot(&p));
    assert_non_null(strstr(with, "\"cpu_template\":\"T2\""));
    assert_null(strstr(with, "/cpu-config")); /* which would replace it */
    p.machine.cpu_model = NULL;
    p.machine.nested = PLAN_NESTED_YES;
    autofree char *nested = shown(firecracker_boot(&p));
    assert_null(strstr(nested, "/cpu-config"));
}

static void test_scratch_disk(void **state)
{
    struct plan p = machine("/usr/bin/firecracker");
    p.machine.scratch = true;
    p.limits.disk = 1ull << 30;
    autofree char *text = shown(firecracker_boot(&p));
    assert_string_equal(text,
                        BEFORE "PUT /drives/scratch {\"drive_id\":\"scratch\",\"path_on_host\":"
                               "\"/scratch.img\",\"is_root_device\":false,\"is_read_only\":false,"
                               "\"cache_type\":\"Unsafe\",\"io_engine\":\"Sync\"}\n" BEHIND);
    assert_true(vmm_file_max(&p) == 1ull << 30);
    p.limits.disk = 1ull << 20;
    assert_true(vmm_file_max(&p) == p.machine.memory + VMM_SAVE_STATE_MAX);
    struct plan *j = vmm_jail_meeting(&p);
    const struct plan_mount *m = NULL;
    for (size_t i = 0; i < j->mounts_count; i++)
        if (str_equal(j->mounts[i].target, "/scratch.img"))
            m = &j->mounts[i];
    assert_non_null(m);
    assert_string_equal(m->source, "/c/0123456789ab-scratch.brief");
    assert_int_equal(m->flags, PLAN_MOUNT_NOSUID | PLAN_MOUNT_NODEV | PLAN_MOUNT_NOEXEC);
    plan_free(j);
}

#define NETWORK_OVERRIDE \
    ",\"network_overrides\":[{\"iface_id\":\"eth0\",\"host_dev_name\":\"tap1\"}]"
#define VSOCK_OVERRIDE ",\"vsock_override\":{\"uds_path\":\"/run/vsock\"}"

static void test_warm_clone(void **state)
{
    static const struct {
        unsigned minor;
        enum plan_network network;
        const char *tracks, *overrides;
    } rows[] = {
        {7,  PLAN_NETWORK_NONE,    "enable_diff_snapshots", ""                             },
        {11, PLAN_NETWORK_PRIVATE, "enable_diff_snapshots", ""                             },
        {12, PLAN_NETWORK_PRIVATE, "enable_diff_snapshots", NETWORK_OVERRIDE               },
        {13, PLAN_NETWORK_NONE,    "track_dirty_pages",     ""                             },
        {14, PLAN_NETWORK_PRIVATE, "track_dirty_pages",     NETWORK_OVERRIDE               },
        {16, PLAN_NETWORK_NONE,    "track_dirty_pages",     VSOCK_OVERRIDE                 },
        {16, PLAN_NETWORK_PRIVATE, "track_dirty_pages",     NETWORK_OVERRIDE VSOCK_OVERRIDE},
    };
    struct plan p = machine("/usr/bin/firecracker");
    for (size_t i = 0; i < ARRAY_SIZE(rows); i++) {
        struct firecracker_version v = {1, rows[i].minor, 0};
        p.network = rows[i].network;
        autofree char *text = shown(firecracker_load(&p, &v));
        autofree char *want = str_format("PUT /metrics {\"metrics_path\":\"/run/metrics\"}\n"
                                         "PUT /snapshot/load {\"snapshot_path\":\"/state\","
                                         "\"mem_backend\":{\"backend_type\":\"File\","
                                         "\"backend_path\":\"/memory\"},\"%s\":true,"
                                         "\"resume_vm\":true%s}\n",
                                         rows[i].tracks, rows[i].overrides);
        assert_string_equal(text, want);
    }
    struct firecracker_version wrong[] =
        {
            {1, 14, 0},
            {1, 14, 1}
    },
                               right[] = {{1, 13, 2}, {1, 14, 2}, {1, 16, 0}};
    p.machine.memory = 3ull << 30;
    for (size_t i = 0; i < ARRAY_SIZE(wrong); i++)
        assert_true(firecracker_tells_changes(&p.machine, &wrong[i]));
    p.machine.memory += 1 << 20;
    for (size_t i = 0; i < ARRAY_SIZE(wrong); i++)
        assert_false(firecracker_tells_changes(&p.machine, &wrong[i]));
    for (size_t i = 0; i < ARRAY_SIZE(right); i++)
        assert_true(firecracker_tells_changes(&p.machine, &right[i]));
    autofree char *without = shown(firecracker_load(&p, &wrong[0]));
    assert_non_null(strstr(without, "\"track_dirty_pages\":false"));
    assert_string_equal(FIRECRACKER_CREATE " " FIRECRACKER_CREATE_BODY,
                        "/snapshot/create {\"snapshot_type\":\"Full\",\"snapshot_path\":"
                        "\"/saved.state\",\"mem_file_path\":\"/saved.memory\"}");
    assert_string_equal(FIRECRACKER_CREATE_CHANGES_BODY,
                        "{\"snapshot_type\":\"Diff\",\"snapshot_path\":"
                        "\"/saved.state\",\"mem_file_path\":\"/saved.memory\"}");
}

static void test_rates_of_the_disk(void **state)
{
    struct plan p = machine("/usr/bin/firecracker");
    p.machine.disk_bandwidth = 1 << 20;
    autofree char *one = shown(firecracker_boot(&p));
    assert_non_null(strstr(one, "\"io_engine\":\"Sync\",\"rate_limiter\":{\"bandwidth\":{"
                                "\"size\":1048576,\"refill_time\":1000}}}\n"));
    p.machine.disk_operations = 50;
    autofree char *both = shown(firecracker_boot(&p));
    assert_non_null(strstr(both, "\"refill_time\":1000},\"ops\":{\"size\":50,"
                                 "\"refill_time\":1000}}}\n"));
}

/* Behind the scratch disk, as /dev knows them by their order, and to read alone. */
static void test_further_disks(void **state)
{
    char one[] = "/data.img", two[] = "/b c.img", *disks[] = {one, two, NULL};
    struct plan p = machine("/usr/bin/firecracker");
    p.machine.disks = disks;
    p.machine.scratch = true;
    autofree char *text = shown(firecracker_boot(&p));
#define DRIVE(name, path)                                                          \
    "PUT /drives/" name " {\"drive_id\":\"" name "\",\"path_on_host\":\"" path     \
    "\",\"is_root_device\":false,\"is_read_only\":true,\"cache_type\":\"Unsafe\"," \
    "\"io_engine\":\"Sync\"}\n"
    const char *at = strstr(text, DRIVE("disk1", "/disk1") DRIVE("disk2", "/disk2"));
    assert_non_null(at);
    assert_true(at > strstr(text, "PUT /drives/scratch "));
    struct plan *j = vmm_jail_meeting(&p);
    for (size_t i = 0, found = 0; i < j->mounts_count || found != 2; i++) {
        assert_true(i < j->mounts_count);
        const struct plan_mount *m = &j->mounts[i];
        if (!str_starts(m->target, VMM_MORE))
            continue;
        assert_string_equal(m->source, disks[found]);
        assert_int_equal(m->target[strlen(VMM_MORE)], '1' + (char)found++);
        assert_true(m->flags & PLAN_MOUNT_RO);
    }
    plan_free(j);
}

/* What it may write beside its sockets has no name by then; what it goes on from it reads. */
static void test_jails_of_snapshots(void **state)
{
    struct plan p = machine("/usr/bin/firecracker");
    p.snapshot_kind = PLAN_SNAPSHOT_MEMORY;
    struct plan *j = vmm_jail_meeting(&p);
    vmm_jail_saving(j, &p);
    vmm_jail_loading(j, "/s/mem/files");
    autobuf text = {0};
    for (size_t i = 0; i < j->mounts_count; i++) {
        const struct plan_mount *m = &j->mounts[i];
        if (m->kind == PLAN_MOUNT_BIND && !str_equal(m->target, p.machine.program))
            buf_printf(&text, "%s %s %s\n", m->flags & PLAN_MOUNT_RO ? "ro" : "rw", m->source,
                       m->target);
        assert_true(m->flags & PLAN_MOUNT_NOSUID);
    }
    assert_string_equal(text.data, "ro /c/root.squashfs /root.img\n"
                                   "rw /c/0123456789ab-memory.brief /saved.memory\n"
                                   "rw /c/0123456789ab-state.brief /saved.state\n"
                                   "ro /s/mem/files/memory /memory\n"
                                   "ro /s/mem/files/state /state\n");
    plan_free(j);
}

static void test_jails(void **state)
{
    struct plan p = machine("/usr/bin/firecracker");
    autostrv char **argv = firecracker_argv(&p);
    autofree char *words = strv_join(argv, " ");
    assert_string_equal(words, "/usr/bin/firecracker --api-sock /run/api.sock --id 0123456789ab "
                               "--level Error");
    for (int root = 0; root < 2; root++) {
        p.map_by = root ? PLAN_MAP_PARENT : PLAN_MAP_SELF;
        struct plan *j = vmm_jail_meeting(&p);
        unsigned writable = 0;
        for (size_t i = 0; i < j->mounts_count; i++) {
            const struct plan_mount *m = &j->mounts[i];
            if (m->kind == PLAN_MOUNT_DEVICE)
                assert_string_equal(m->target, "/dev/kvm");
            else if (!(m->flags & PLAN_MOUNT_RO) && ++writable)
                assert_string_equal(m->target, "/run");
            if (str_equal(m->target, "/root.img"))
                assert_int_equal(!!(m->flags & PLAN_MOUNT_LENT), root);
        }
        assert_int_equal(writable, 1);
        assert_int_not_equal(j->uid, 0);
        plan_free(j);
    }
}

static void test_jailer(void **state)
{
    struct plan p = machine("/usr/bin/firecracker");
    p.map_by = PLAN_MAP_PARENT;
    p.machine.jailer = (char *)"/usr/bin/jailer";
    autostrv char **plain = firecracker_argv(&p);
    autostrv char **argv =
        vmm_jailer_argv(&p, plain, 101000, 201000, "/run/cofferdam/0123456789ab");
    autofree char *words = strv_join(argv, " ");
    assert_string_equal(
        words, "/usr/bin/jailer --id 0123456789ab --exec-file /usr/bin/firecracker --uid 101000 "
               "--gid 201000 --chroot-base-dir /run/cofferdam/0123456789ab --resource-limit "
               "no-file=256 --resource-limit fsize=268435456 --new-pid-ns -- --api-sock "
               "/run/api.sock --level Error");
    struct plan *j = vmm_jail_meeting(&p);
    autobuf shown_there = {0};
    for (size_t i = 0; i < j->mounts_count; i++) {
        if (j->mounts[i].flags & PLAN_MOUNT_MADE)
            continue;
        assert_int_equal(j->mounts[i].kind, PLAN_MOUNT_BIND);
        assert_true(j->mounts[i].flags & PLAN_MOUNT_RO && j->mounts[i].flags & PLAN_MOUNT_LENT);
        buf_printf(&shown_there, "%s ", j->mounts[i].target);
    }
    assert_string_equal(shown_there.data, "/kernel /initramfs /root.img ");
    assert_false(j->seccomp || j->namespaces & PLAN_NS_USER); /* nor is it said to have them */
    assert_true(j->no_new_privileges && j->namespaces & PLAN_NS_NET);
    plan_free(j);
}

static void test_metrics_add_up(void **state)
{
    struct launch_sample sum;
    memset(&sum, 0xff, sizeof(sum));
    firecracker_metrics("{\"block\":{\"read_bytes\":5,\"write_bytes\":7},\"net\":{}}", &sum);
    assert_int_equal(sum.guest_read, 5);
    assert_int_equal(sum.guest_in, 0);
    firecracker_metrics("{\"block\":{\"read_bytes\":1,\"write_bytes\":-7}}", &sum);
    firecracker_metrics("{\"block\":{\"read_bytes\":1", &sum);
    firecracker_metrics("{\"block\":[1],\"net\":{\"tx_bytes_count\":\"9\"}}", &sum);
    assert_int_equal(sum.guest_read, 6);
    assert_int_equal(sum.guest_write, 7);
    assert_int_equal(sum.guest_out, 0);
    firecracker_metrics("{\"block\":{\"read_bytes\":9223372036854775807}}", &sum);
    assert_true(sum.guest_read == INT64_MAX);
    assert_true(sum.memory == UINT64_MAX);
}

/* A guest may say what it likes of itself: it is shown as nothing its machine cannot be. */
static void test_a_guest_that_boasts(void **state)
{
    struct plan p = {.machine.memory = 192 << 20};
    struct launch_sample s;
    struct agent_sample said;
    memset(&s, 0, sizeof(s));
    memset(&said, 0xfe, sizeof(said));
    said_take(&said, &p, &s);
    assert_true(s.says_memory == p.machine.memory && s.says_available == p.machine.memory);
    assert_true(s.says_scratch == p.machine.memory && s.says_scratch_free == p.machine.memory);
    assert_true(s.says_load[2] <= 4194304000ull && s.says_tasks <= 4194304);
    assert_true(s.says_oom_kills <= INT64_MAX && s.memory == 0 && s.guest_read == 0);
    autofree char *text = state_said(s.says_memory, s.says_available, s.says_load[0]);
    assert_string_equal(text, "192 MiB of 192 MiB free, load 4194304.00");
    p.limits.disk = 1 << 20;
    said.memory = UINT64_MAX;
    said_take(&said, &p, &s);
    assert_true(s.says_memory == UINT64_MAX && s.says_available == UINT64_MAX);
    assert_true(s.says_scratch == 1 << 20);
    said_forget(&s);
    assert_true(s.says_scratch == UINT64_MAX && s.says_load[0] == UINT64_MAX && s.memory == 0);
    assert_null(state_said(s.says_memory, s.says_available, s.says_load[0]));
}

/* A path says by its name alone what it is; a name is the whole of it. */
static void test_runtimes_by_path(void **state)
{
    assert_true(plan_runtime_is("/opt/bin/runsc", "runsc") && plan_runtime_is("runsc", "runsc"));
    assert_true(plan_runtime_is("/firecracker", "firecracker"));
    assert_false(plan_runtime_is("/opt/notrunsc", "runsc") || plan_runtime_is("/runsc/x", "runsc"));
    assert_false(plan_runtime_is("opt/runsc", "runsc") || plan_runtime_is("/opt/", "runsc"));
}

static void test_versions(void **state)
{
    struct firecracker_version v;
    struct error e;
    assert_int_equal(firecracker_version_read("1.14.2", &v, &e), 0);
    assert_int_equal(v.minor, 14);
    assert_int_equal(firecracker_version_read("v1.7.0-dev", &v, &e), 0);
    assert_int_equal(firecracker_version_read("1.17.0", &v, &e), -ENOTSUP);
    assert_int_equal(firecracker_version_read("1.6.9", &v, &e), -ENOTSUP);
    assert_int_equal(firecracker_version_read("2.8.0", &v, &e), -ENOTSUP);
    assert_int_equal(firecracker_version_read("", &v, &e), -EPROTO);
    assert_int_equal(firecracker_version_read("1.14", &v, &e), -EPROTO);
    assert_int_equal(firecracker_version_read("-1.7.0", &v, &e), -EPROTO);
}

/* --- answers ------------------------------------------------------------------------------------
 */

struct answer_row {
    const char *bytes;
    int code;         /* of the call */
    const char *text; /* in the error, or the body */
};

static void test_answers(void **state)
{
    static const struct answer_row rows[] = {
        {"HTTP/1.1 204 \r\nServer: Firecracker API\r\nConnection: keep-alive\r\n\r\n",    0,       ""                 },
        {"HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\n{}",                                0,       "{}"               },
        {"HTTP/1.1 400 \r\ncontent-length:  22 \r\n\r\n{\"fault_message\":\"no\"}",       -EIO,
         "firecracker: PUT /x: no (400)"                                                                              },
        {"HTTP/1.1 500 Error\r\nContent-Length: 24\r\n\r\n[\"outer\", \"in\\u001bner\"]", -EIO,
         NULL                                                                                                         },
        {"HTTP/1.1 500 Error\r\nContent-Length: 20\r\n\r\n[\"outer\", \"inn\\ner\"]",     -EIO,
         "outer: inn"                                                                                                 },
        {"HTTP/1.1 404 \r\n\r\n",                                                         -EIO,    "PUT /x: (404)"    },
        {"HTTP/1.1 200 \r\nContent-Length: 2\r\nContent-Length: 2\r\n\r\n{}",             -EPROTO, NULL               },
        {"HTTP/1.1 200 \r\nTransfer-Encoding: chunked\r\n\r\n0\r\n\r\n",                  -EPROTO, NULL               },
        {"HTTP/1.1 200 \r\nContent-Length: 99999999999999999999\r\n\r\n",                 -EPROTO, NULL               },
        {"HTTP/1.1 200 \r\nContent-Length: -1\r\n\r\n",                                   -EPROTO, NULL               },
        {"HTTP/1.1 204 \r\n\r\nmore",                                                     -EPROTO, NULL               },
        {"HTTP/2 204 \r\n\r\n",                                                           -EPROTO, NULL               },
        {"SSH-2.0-x\r\n\r\n",                                                             -EPROTO, NULL               },
        {"HTTP/1.1 204 \r\nno colon\r\n\r\n",                                             -EPROTO, NULL               },
        {"HTTP/1.1 200 \r\nContent-Length: 5\r\n\r\n{}",                                  -EPIPE,  "PUT /x: no answer"},
        {"",                                                                              -EPIPE,  NULL               },
    };
    for (size_t i = 0; i < ARRAY_SIZE(rows); i++) {
        int pair[2];
        struct error e = {0};
        autofree char *body = NULL;
        assert_int_equal(fd_socketpair(pair), 0);
        struct api *a = api_new(pair[0], "firecracker");
        pid_t pid = fork(); /* the other end: hears the request out, answers, hangs up */
        if (pid == 0) {
            char request[512];
            fd_close(pair[0]);
            (void)!read(pair[1], request, sizeof(request));
            (void)!write(pair[1], rows[i].bytes, strlen(rows[i].bytes));
            _exit(strstr(request, "PUT /x HTTP/1.1\r\nHost: localhost\r\n") == request ? 0 : 1);
        }
        fd_close(pair[1]);
        int r = api_call(a, "PUT", "/x", "{}", 10000, &body, &e);
        if (r != rows[i].code)
            fail_msg("row %zu: %d (%s)", i, r, e.text);
        if (rows[i].text && !strstr(r < 0 ? e.text : body, rows[i].text))
            fail_msg("row %zu: \"%s\"", i, r < 0 ? e.text : body);
        assert_null(strchr(r < 0 ? e.text : "", 033));
        if (r == -EPROTO || r == -EPIPE)
            assert_int_equal(api_fd(a), FD_NONE); /* dead for good */
        api_free(a);
        int status;
        waitpid(pid, &status, 0);
        assert_int_equal(status, 0);
    }
}

static void test_silence_ends(void **state)
{
    int pair[2];
    struct error e;
    assert_int_equal(fd_socketpair(pair), 0);
    struct api *a = api_new(pair[0], "firecracker");
    assert_int_equal(api_call(a, "GET", "/version", NULL, 20, NULL, &e), -ETIMEDOUT);
    assert_int_equal(api_fd(a), FD_NONE);
    api_free(a);
    fd_close(pair[1]);
}

/* What takes long is told when it is answered, whatever it is then. */
static void test_what_is_begun(void **state)
{
    static const struct answer_row rows[] = {
        {"HTTP/1.1 204 \r\n\r\n",                                                 1,      NULL},
        {"HTTP/1.1 400 \r\nContent-Length: 22\r\n\r\n{\"fault_message\":\"no\"}", -EIO,
         "firecracker: PUT /long: no (400)"                                                   },
        {"",                                                                      -EPIPE,
         "firecracker: PUT /long: no "
         "answer"                                                                             },
    };
    for (size_t i = 0; i < ARRAY_SIZE(rows); i++) {
        int pair[2];
        struct error e = {0};
        char request[512];
        assert_int_equal(fd_socketpair(pair), 0);
        struct api *a = api_new(pair[0], "firecracker");
        assert_int_equal(api_begin(a, "PUT", "/long", "{}", &e), 0);
        assert_int_equal(api_begin(a, "PUT", "/other", "{}", &e), -EBUSY);
        assert_int_equal(api_begun(a, &e), 0);
        assert_true(read(pair[1], request, sizeof(request)) > 0);
        assert_true(write(pair[1], rows[i].bytes, strlen(rows[i].bytes)) >= 0);
        fd_close(pair[1]);
        for (int turn = 0; turn < 2; turn++)
            api_dispatch(a);
        assert_int_equal(api_begun(a, &e), rows[i].code);
        if (rows[i].text)
            assert_string_equal(e.text, rows[i].text);
        api_free(a);
    }
}

static void take_answer(void *data, const char *body)
{
    buf_puts(data, body);
}

/* What is asked without waiting costs no later call its answer, and the channel not its life. */
static void test_a_measurement_waits_for_nothing(void **state)
{
    int pair[2];
    struct error e;
    autobuf got = {0};
    static const char first[] = "HTTP/1.1 200 \r\nContent-Length: 3\r\n\r\none";
    static const char second[] = "HTTP/1.1 200 \r\nContent-Length: 3\r\n\r\ntwo";
    char request[512];
    assert_int_equal(fd_socketpair(pair), 0);
    struct api *a = api_new(pair[0], "firecracker");
    for (int i = 0; i < 3; i++) /* nobody answers: it is asked once, and nothing dies */
        assert_int_equal(api_ask(a, "GET", "/x", NULL, 1, take_answer, &got, &e), 0);
    ssize_t n = read(pair[1], request, sizeof(request));
    assert_true(n > 0 && memmem(request, (size_t)n, "GET /x", 6));
    assert_null(memmem(request + 1, (size_t)n - 1, "GET /x", 6));
    assert_true(api_fd(a) >= 0);
    assert_int_equal(write(pair[1], first, strlen(first)), strlen(first));
    api_dispatch(a);
    assert_string_equal(got.data, "one");
    assert_int_equal(api_ask(a, "GET", "/x", NULL, 0, take_answer, &got, &e), 0);
    pid_t pid = fork(); /* answers late, and then what was asked behind it */
    if (pid == 0) {
        fd_close(pair[0]);
        bool good = read(pair[1], request, sizeof(request)) > 0 &&
                    write(pair[1], first, strlen(first)) > 0 &&
                    read(pair[1], request, sizeof(request)) > 0 &&
                    write(pair[1], second, strlen(second)) > 0;
        _exit(good ? 0 : 1);
    }
    fd_close(pair[1]);
    autofree char *body = NULL;
    assert_int_equal(api_call(a, "PATCH", "/vm", "{}", 10000, &body, &e), 0);
    assert_string_equal(body, "two");
    assert_string_equal(got.data, "oneone");
    waitpid(pid, NULL, 0);
    api_free(a);
}

/* A QEMU that somebody has taken over says what it likes. */
static void test_hostile_numbers(void **state)
{
    struct launch_sample sum = {0};
    json_t *disks = json_loads("[{\"stats\":{\"rd_bytes\":9223372036854775807,\"wr_bytes\":-5}},"
                               "{\"stats\":{\"rd_bytes\":9223372036854775807,\"wr_bytes\":3}},"
                               "{\"stats\":[]},7]",
                               0, NULL);
    assert_non_null(disks);
    metrics_qemu(disks, &sum);
    assert_true(sum.guest_read == INT64_MAX);
    assert_int_equal(sum.guest_write, 3);
    json_decref(disks);
}

static uint64_t number_at(const struct buf *b, uint64_t at, size_t bytes)
{
    uint64_t n = 0;
    assert_true(at + bytes <= b->used);
    for (size_t i = bytes; i-- > 0;)
        n = n << 8 | (unsigned char)b->data[at + i];
    return n;
}

/* Where it lies; it is whole. */
static size_t table_at(const struct buf *b, uint64_t address, const char *signature)
{
    uint64_t at = address - firecracker_acpi_usual.at, size = number_at(b, at + 4, 4);
    unsigned char sum = 0;
    assert_true(at + size <= b->used && memcmp(b->data + at, signature, 4) == 0);
    for (uint64_t i = 0; i < size; i++)
        sum = (unsigned char)(sum + (unsigned char)b->data[at + i]);
    assert_int_equal(sum, 0);
    return (size_t)at;
}

static void test_tables(void **state)
{
    autobuf b = firecracker_acpi(&firecracker_acpi_usual);
    unsigned char first = 0, all = 0;
    assert_true(b.used > 36 && memcmp(b.data, "RSD PTR ", 8) == 0);
    for (size_t i = 0; i < 36; i++) {
        first = (unsigned char)(first + (i < 20 ? (unsigned char)b.data[i] : 0));
        all = (unsigned char)(all + (unsigned char)b.data[i]);
    }
    assert_int_equal(first, 0);
    assert_int_equal(all, 0);
    size_t xsdt = table_at(&b, number_at(&b, 24, 8), "XSDT");
    size_t fadt = table_at(&b, number_at(&b, xsdt + 36, 8), "FACP");
    size_t madt = table_at(&b, number_at(&b, xsdt + 44, 8), "APIC");
    size_t dsdt = table_at(&b, number_at(&b, fadt + 140, 8), "DSDT");
    assert_int_equal(number_at(&b, fadt + 112, 4) >> 20 & 1, 1); /* reduced hardware */
    assert_int_equal(number_at(&b, madt + 36, 4), 0xfee00000);
    assert_int_equal(number_at(&b, madt + 4, 4), 44 + 12 + 32 * 8);
    const char *at = b.data + dsdt;
    for (unsigned i = 0; i < 6; i++) { /* in their order: a page and an interrupt each */
        at = memmem(at, b.used - (size_t)(at - b.data), "LNRO0005", 8);
        assert_non_null(at);
        const char *where = memmem(at, 64, "\x86\x09\x00\x01", 4);
        assert_non_null(where);
        assert_int_equal(number_at(&b, (size_t)(where + 4 - b.data), 4), 0xd0000000 + i * 0x1000);
        assert_int_equal(number_at(&b, (size_t)(where + 17 - b.data), 4), 5 + i);
        at = where;
    }
    assert_null(memmem(at, b.used - (size_t)(at - b.data), "LNRO0005", 8));
}

static void test_a_kernel_that_counts(void **state)
{
    static const char *const versions[] = {"1.7.0", "1.8.0"};
    for (size_t i = 0; i < ARRAY_SIZE(versions); i++) {
        struct plan p = machine("/usr/bin/firecracker");
        p.machine.version = (char *)versions[i];
        autofree char *line = firecracker_kernel_line(&p);
        assert_int_equal(strstr(line, " nr_cpus=2 -- end=") != NULL, i == 0);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_cold_start),
        cmocka_unit_test(test_tables),
        cmocka_unit_test(test_a_kernel_that_counts),
        cmocka_unit_test(test_network_and_template),
        cmocka_unit_test(test_scratch_disk),
        cmocka_unit_test(test_warm_clone),
        cmocka_unit_test(test_rates_of_the_disk),
        cmocka_unit_test(test_further_disks),
        cmocka_unit_test(test_jails),
        cmocka_unit_test(test_a_guest_that_boasts),
        cmocka_unit_test(test_jails_of_snapshots),
        cmocka_unit_test(test_versions),
        cmocka_unit_test(test_jailer),
        cmocka_unit_test(test_answers),
        cmocka_unit_test(test_silence_ends),
        cmocka_unit_test(test_what_is_begun),
        cmocka_unit_test(test_runtimes_by_path),
        cmocka_unit_test(test_metrics_add_up),
        cmocka_unit_test(test_hostile_numbers),
        cmocka_unit_test(test_a_measurement_waits_for_nothing),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
