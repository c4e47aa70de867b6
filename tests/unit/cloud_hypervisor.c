/* Cloud Hypervisor's API: what is sent, byte for byte, and what is made of its counters. */
#include "backends/microvm/cloud_hypervisor_requests.h"

#include "tests/unit/machines.h"
#include "tests/unit/unit.h"

#define CONFIG                                                                                   \
    "{\"cpus\":{\"boot_vcpus\":2,\"max_vcpus\":2},\"memory\":{\"size\":201326592},\"payload\":{" \
    "\"kernel\":\"/kernel\",\"initramfs\":\"/initramfs\",\"cmdline\":\"console=ttyS0 quiet "     \
    "panic=-1 "                                                                                  \
    "cryptomgr.notests -- "                                                                      \
    "agent=vsock:1024\"},\"disks\":[{\"path\":\"/root.img\",\"readonly\":true,"                  \
    "\"id\":\"root\",\"serial\":\"root\"}],\"rng\":{\"src\":\"/dev/urandom\"},\"balloon\":{"     \
    "\"size\":0,\"deflate_on_oom\":true},\"serial\":{\"mode\":\"Tty\"},\"console\":{\"mode\":"   \
    "\"Off\"},\"vsock\":{\"cid\":3,\"socket\":\"/run/vsock\"},\"landlock_enable\":true,"         \
    "\"landlock_rules\":[{\"path\":\"/run\",\"access\":\"rw\"}]"
#define BOOT "PUT /api/v1/vm.boot (null)\n"

static void test_cold_start(void **state)
{
    struct plan p = machine("/usr/bin/cloud-hypervisor");
    autofree char *text = shown(cloud_hypervisor_boot(&p));
    assert_string_equal(text, "PUT /api/v1/vm.create " CONFIG "}\n" BOOT);
}

static void test_network(void **state)
{
    struct plan p = machine("/usr/bin/cloud-hypervisor");
    p.network = PLAN_NETWORK_PRIVATE;
    autofree char *text = shown(cloud_hypervisor_boot(&p));
    assert_string_equal(text, "PUT /api/v1/vm.create " CONFIG
                              ",\"net\":[{\"id\":\"eth0\",\"tap\":\"tap0\",\"mac\":"
                              "\"02:cf:45:67:89:ab\"}]}\n" BOOT);
}

static void test_jail(void **state)
{
    struct plan p = machine("/usr/bin/cloud-hypervisor");
    autostrv char **argv = cloud_hypervisor_argv(&p);
    autofree char *words = strv_join(argv, " ");
    assert_string_equal(words,
                        "/usr/bin/cloud-hypervisor --api-socket path=/run/api.sock --seccomp true");
    for (int root = 0; root < 2; root++) {
        p.map_by = root ? PLAN_MAP_PARENT : PLAN_MAP_SELF;
        struct plan *j = cloud_hypervisor_jail(&p);
        autobuf devices = {0}, writable = {0};
        for (size_t i = 0; i < j->mounts_count; i++) {
            const struct plan_mount *m = &j->mounts[i];
            if (m->kind == PLAN_MOUNT_DEVICE)
                buf_printf(&devices, "%s%s ", m->target, m->flags & PLAN_MOUNT_LENT ? "*" : "");
            else if (!(m->flags & PLAN_MOUNT_RO))
                buf_printf(&writable, "%s ", m->target);
        }
        assert_string_equal(devices.data,
                            root ? "/dev/kvm* /dev/urandom " : "/dev/kvm /dev/urandom ");
        assert_string_equal(writable.data, "/run ");
        plan_free(j);
    }
}

static void test_counters(void **state)
{
    struct launch_sample s;
    memset(&s, 0xff, sizeof(s));
    cloud_hypervisor_counters("{\"a\":{\"read_bytes\":5,\"read_latency_min\":18446744073709551615},"
                              "\"b\":{\"read_bytes\":2,\"tx_bytes\":9},\"c\":7}",
                              &s);
    assert_int_equal(s.guest_read, 7);
    assert_int_equal(s.guest_out, 9);
    assert_true(s.guest_in == UINT64_MAX);
    cloud_hypervisor_counters("{\"a\":{\"read_bytes\":1e300,\"tx_bytes\":-1,\"rx_bytes\":\"5\"}}",
                              &s);
    assert_true(s.guest_read == INT64_MAX);
    assert_true(s.guest_out == UINT64_MAX && s.guest_in == UINT64_MAX);
    cloud_hypervisor_counters("[", &s);
    assert_true(s.guest_read == INT64_MAX);
}

static void test_versions(void **state)
{
    struct cloud_hypervisor_version v;
    struct error e;
    assert_int_equal(cloud_hypervisor_version_read("51.1", &v, &e), 0);
    assert_int_equal(v.major, 51);
    assert_int_equal(v.minor, 1);
    assert_int_equal(cloud_hypervisor_version_read("v43.0-dirty", &v, &e), 0);
    assert_int_equal(cloud_hypervisor_version_read("53.0.0", &v, &e), 0);
    assert_int_equal(cloud_hypervisor_version_read("42.9", &v, &e), -ENOTSUP);
    assert_int_equal(cloud_hypervisor_version_read("54.0", &v, &e), -ENOTSUP);
    assert_int_equal(cloud_hypervisor_version_read("51", &v, &e), -EPROTO);
    assert_int_equal(cloud_hypervisor_version_read("-51.0", &v, &e), -EPROTO);
    assert_int_equal(cloud_hypervisor_version_read("", &v, &e), -EPROTO);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_cold_start), cmocka_unit_test(test_network),
        cmocka_unit_test(test_jail),       cmocka_unit_test(test_counters),
        cmocka_unit_test(test_versions),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
