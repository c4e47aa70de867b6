/* Cloud Hypervisor's API: what is sent, byte for byte, and what is made of its counters. */
#include "backends/microvm/cloud_hypervisor_requests.h"

#include "tests/unit/machines.h"
#include "tests/unit/unit.h"

// clang-format off
#define SIZE                                                                                      \
    "{\"cpus\":{\"boot_vcpus\":2,\"max_vcpus\":2},\"memory\":{\"size\":201326592},"
#define BEGINS SIZE                                                                               \
    "\"payload\":{\"kernel\":\"/kernel\",\"initramfs\":\"/initramfs\",\"cmdline\":"                 \
    "\"console=ttyS0 quiet panic=-1 cryptomgr.notests -- agent=vsock:1024\"},"
#define GOES_ON                                                                                   \
    "\"rng\":{\"src\":\"/dev/urandom\"},\"balloon\":{\"size\":0,\"deflate_on_oom\":true},"        \
    "\"serial\":{\"mode\":\"Tty\"},\"console\":{\"mode\":\"Off\"},"
#define ENDS(more)                                                                                \
    "\"landlock_enable\":true,\"landlock_rules\":[{\"path\":\"/run\",\"access\":\"rw\"},{"        \
    "\"path\":\"/saved\",\"access\":\"rw\"},{\"path\":\"/root.img\",\"access\":\"r\"}" more "]"
#define DISK                                                                                      \
    "{\"path\":\"/root.img\",\"readonly\":true,\"id\":\"root\",\"serial\":\"root\"}"
#define VSOCK "{\"cid\":3,\"socket\":\"/run/vsock\",\"id\":\"vsock\"}"
#define CREATE(more) "PUT /api/v1/vm.create " BEGINS GOES_ON ENDS(more) "}\n"
#define ADD_DISK "PUT /api/v1/vm.add-disk " DISK "\n"
#define ADD_VSOCK "PUT /api/v1/vm.add-vsock " VSOCK "\n"
/* All of it at once but what is booted, as it lies beside a snapshot. */
#define CONFIG(more) SIZE "\"payload\":{\"kernel\":\"/kernel\"}," "\"disks\":[" DISK "]," GOES_ON "\"vsock\":" VSOCK "," ENDS(more)
// clang-format on
#define BOOT "PUT /api/v1/vm.boot (null)\n"

static void test_cold_start(void **state)
{
    struct plan p = machine("/usr/bin/cloud-hypervisor");
    autofree char *text = shown(cloud_hypervisor_boot(&p));
    assert_string_equal(text, CREATE("") ADD_DISK ADD_VSOCK BOOT);
}

/* Said where it can be said, and not else. */
static void test_nested_machines(void **state)
{
    static const struct {
        const char *version;
        enum plan_nested nested;
        const char *want;
        bool hides;
    } rows[] = {
        {"49.0", PLAN_NESTED_AUTO, "\"max_vcpus\":2},",                  false},
        {"50.0", PLAN_NESTED_AUTO, "\"max_vcpus\":2,\"nested\":false},", false},
        {"52.0", PLAN_NESTED_NO,   "\"max_vcpus\":2,\"nested\":false},", true },
        {"52.0", PLAN_NESTED_YES,  "\"max_vcpus\":2,\"nested\":true},",  false},
    };
    for (size_t i = 0; i < ARRAY_SIZE(rows); i++) {
        struct plan p = machine("/usr/bin/cloud-hypervisor");
        p.runtime = (char *)"cloud-hypervisor";
        p.machine.version = (char *)rows[i].version;
        p.machine.nested = rows[i].nested;
        autofree char *text = shown(cloud_hypervisor_boot(&p));
        assert_non_null(strstr(text, rows[i].want));
        assert_int_equal(plan_hides_nested(&p), rows[i].hides);
    }
}

static void test_rates_of_the_disk(void **state)
{
    struct plan p = machine("/usr/bin/cloud-hypervisor");
    p.machine.disk_operations = 50;
    autofree char *text = shown(cloud_hypervisor_boot(&p));
    assert_non_null(strstr(text, "\"serial\":\"root\",\"rate_limiter_config\":{\"ops\":{"
                                 "\"size\":50,\"refill_time\":1000}}}\n"));
}

static void test_scratch_disk(void **state)
{
    static const char *const versions[] = {"50.0", "50.1", "51.0"};
    for (size_t i = 0; i < ARRAY_SIZE(versions); i++) {
        struct plan p = machine("/usr/bin/cloud-hypervisor");
        p.machine.scratch = true;
        p.machine.version = (char *)versions[i];
        autofree char *text = shown(cloud_hypervisor_boot(&p));
        assert_non_null(
            strstr(text, i ? "{\"path\":\"/scratch.img\",\"readonly\":false,\"id\":\"scratch\","
                             "\"serial\":\"scratch\",\"image_type\":\"Raw\"}\n"
                           : "{\"path\":\"/scratch.img\",\"readonly\":false,\"id\":\"scratch\","
                             "\"serial\":\"scratch\"}\n"));
    }
}

/* Each by its serial number; nothing is guessed of them, and its own Landlock lets it read them. */
static void test_further_disks(void **state)
{
    char one[] = "/data.img", two[] = "/b c.img", *disks[] = {one, two, NULL};
    char version[] = "50.1";
    struct plan p = machine("/usr/bin/cloud-hypervisor");
    p.machine.disks = disks;
    p.machine.version = version;
    autofree char *text = shown(cloud_hypervisor_boot(&p));
    assert_non_null(strstr(text, "{\"path\":\"/disk1\",\"access\":\"r\"},"
                                 "{\"path\":\"/disk2\",\"access\":\"r\"}]"));
    for (char n = '1'; n <= '2'; n++) {
        autofree char *want =
            str_format("PUT /api/v1/vm.add-disk {\"path\":\"/disk%c\",\"readonly\":true,"
                       "\"id\":\"disk%c\",\"serial\":\"disk%c\",\"image_type\":\"Raw\"}\n",
                       n, n, n);
        assert_non_null(strstr(text, want));
    }
}

static void test_network(void **state)
{
    struct plan p = machine("/usr/bin/cloud-hypervisor");
    p.network = PLAN_NETWORK_PRIVATE;
    autofree char *text = shown(cloud_hypervisor_boot(&p));
    assert_string_equal(text, CREATE(",{\"path\":\"/dev/net/tun\",\"access\":\"rw\"}") ADD_DISK
                        "PUT /api/v1/vm.add-net {\"id\":\"eth0\",\"tap\":\"tap1\",\"mac\":"
                        "\"02:cf:45:67:89:ab\"}\n" ADD_VSOCK BOOT);
}

static void test_served_folders(void **state)
{
    struct plan p = machine("/usr/bin/cloud-hypervisor");
    struct plan_mount mounts[] = {
        {.kind = PLAN_MOUNT_BIND,  .source = (char *)"/a",   .target = (char *)"/x"},
        {.kind = PLAN_MOUNT_TMPFS, .target = (char *)"/tmp"},
        {.kind = PLAN_MOUNT_BIND,  .source = (char *)"/b",   .target = (char *)"/y"                      },
    };
    p.mounts = mounts;
    p.mounts_count = ARRAY_SIZE(mounts);
    p.machine.shares = p.machine.served = true;
    autofree char *text = shown(cloud_hypervisor_boot(&p));
    assert_non_null(strstr(text, "\"memory\":{\"size\":201326592,\"shared\":true}"));
    assert_non_null(strstr(
        text, "\nPUT /api/v1/vm.add-fs {\"tag\":\"share0\",\"socket\":\"/run/share0\","
              "\"num_queues\":1,\"queue_size\":1024,\"id\":\"share0\"}\n"
              "PUT /api/v1/vm.add-fs {\"tag\":\"share1\",\"socket\":\"/run/share1\","
              "\"num_queues\":1,\"queue_size\":1024,\"id\":\"share1\"}\nPUT /api/v1/vm.add-vsock"));
    struct plan *j = vmm_jail_meeting(&p);
    for (size_t i = 0; i < j->mounts_count; i++) /* nothing of them is in its own jail */
        assert_true(!j->mounts[i].source || (strcmp(j->mounts[i].source, "/a") != 0 &&
                                             strcmp(j->mounts[i].source, "/b") != 0));
    plan_free(j);
    p.machine.virtiofsd = (char *)"/usr/lib/qemu/virtiofsd";
    p.map_by = PLAN_MAP_SELF;
    p.uid_map[0] = p.gid_map[0] = (struct plan_id_map){1000, 1234, 1};
    p.uid_map_count = p.gid_map_count = 1;
    p.uid = p.gid = 7;
    j = vmm_jail_serving(&p, 1);
    assert_true(j->uid == 7 && j->gid == 7 && j->uid_map[0].inside == 7);
    for (size_t i = 0; i < j->mounts_count; i++) {
        const struct plan_mount *m = &j->mounts[i];
        if (m->kind == PLAN_MOUNT_BIND)
            assert_string_equal(m->source, i == 0 ? "/usr/lib/qemu/virtiofsd" : "/b");
        assert_true(m->kind == PLAN_MOUNT_MASK || m->flags & PLAN_MOUNT_RO);
    }
    plan_free(j);
}

/* What says what the machine is comes from us, and is what the first was told. */
static void test_warm_clone(void **state)
{
    struct plan p = machine("/usr/bin/cloud-hypervisor");
    autofree char *text = shown(cloud_hypervisor_load());
    assert_string_equal(text, "PUT /api/v1/vm.restore {\"source_url\":\"file:///load\","
                              "\"prefault\":false}\n"
                              "PUT /api/v1/vm.resume (null)\n");
    assert_string_equal(CLOUD_HYPERVISOR_SNAPSHOT " " CLOUD_HYPERVISOR_SNAPSHOT_BODY,
                        "/api/v1/vm.snapshot {\"destination_url\":\"file:///saved\"}");
    autofree char *config = cloud_hypervisor_config(&p);
    assert_string_equal(config, CONFIG("") "}");
    p.landlock = PLAN_LANDLOCK_NO; /* this host has too little of it */
    autofree char *without = cloud_hypervisor_config(&p);
    assert_non_null(strstr(without, "\"landlock_enable\":false"));
}

static void test_jails_of_snapshots(void **state)
{
    struct plan p = machine("/usr/bin/cloud-hypervisor");
    p.limits.memory = p.machine.memory;
    struct plan *j = cloud_hypervisor_jail(&p);
    uint64_t before = j->limits.memory, room = p.machine.memory + VMM_SAVE_STATE_MAX;
    vmm_jail_saving_folder(j, &p);
    assert_true(j->limits.memory == before); /* but while it writes to it */
    assert_true(vmm_saving_room(&p) == room);
    const struct plan_mount *m = &j->mounts[j->mounts_count - 1];
    assert_int_equal(m->kind, PLAN_MOUNT_TMPFS);
    assert_string_equal(m->target, "/saved");
    assert_true(m->size == room && m->mode == 0700);
    size_t first = j->mounts_count;
    vmm_jail_loading_folder(j, "/s/mem/files", "{}");
    autobuf text = {0};
    for (size_t i = first; i < j->mounts_count; i++)
        buf_printf(&text, "%s %s %s\n", j->mounts[i].flags & PLAN_MOUNT_RO ? "ro" : "--",
                   j->mounts[i].source ? j->mounts[i].source : j->mounts[i].content,
                   j->mounts[i].target);
    assert_string_equal(text.data, "ro /s/mem/files/memory /load/memory-ranges\n"
                                   "ro /s/mem/files/state /load/state.json\n"
                                   "-- {} /load/config.json\n");
    plan_free(j);
}

static void test_jail(void **state)
{
    struct plan p = machine("/usr/bin/cloud-hypervisor");
    autostrv char **argv = cloud_hypervisor_argv(&p);
    autofree char *words = strv_join(argv, " ");
    assert_string_equal(words,
                        "/usr/bin/cloud-hypervisor --api-socket path=/run/api.sock --seccomp true");
    static const struct {
        enum plan_map_by map_by;
        enum plan_network network;
        const char *devices, *writable; /* lent ones with a star */
    } rows[] = {
        {PLAN_MAP_SELF,   PLAN_NETWORK_NONE,    "/dev/kvm /dev/urandom ",                "/run "},
        {PLAN_MAP_PARENT, PLAN_NETWORK_NONE,    "/dev/kvm* /dev/urandom ",               "/run "},
        {PLAN_MAP_SELF,   PLAN_NETWORK_PRIVATE, "/dev/kvm /dev/net/tun /dev/urandom ",
         "/run /sys/class/net/tap1 "                                                            },
        {PLAN_MAP_PARENT, PLAN_NETWORK_PRIVATE, "/dev/kvm* /dev/net/tun* /dev/urandom ",
         "/run /sys/class/net/tap1 "                                                            },
    };
    for (size_t r = 0; r < ARRAY_SIZE(rows); r++) {
        p.map_by = rows[r].map_by;
        p.network = rows[r].network;
        struct plan *j = cloud_hypervisor_jail(&p);
        assert_int_equal(j->network, rows[r].network); /* which begins the translator */
        autobuf devices = {0}, writable = {0};
        for (size_t i = 0; i < j->mounts_count; i++) {
            const struct plan_mount *m = &j->mounts[i];
            if (m->kind == PLAN_MOUNT_DEVICE)
                buf_printf(&devices, "%s%s ", m->target, m->flags & PLAN_MOUNT_LENT ? "*" : "");
            else if (!(m->flags & PLAN_MOUNT_RO))
                buf_printf(&writable, "%s ", m->target);
        }
        assert_string_equal(devices.data, rows[r].devices);
        assert_string_equal(writable.data, rows[r].writable);
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
        cmocka_unit_test(test_cold_start),
        cmocka_unit_test(test_network),
        cmocka_unit_test(test_scratch_disk),
        cmocka_unit_test(test_further_disks),
        cmocka_unit_test(test_nested_machines),
        cmocka_unit_test(test_rates_of_the_disk),
        cmocka_unit_test(test_jail),
        cmocka_unit_test(test_counters),
        cmocka_unit_test(test_versions),
        cmocka_unit_test(test_warm_clone),
        cmocka_unit_test(test_jails_of_snapshots),
        cmocka_unit_test(test_served_folders),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
