/* Devices of a made-up host: which of them may be handed over, and what is said before. */
#include "backends/libvirt/passthrough.h"

#include "base/fd.h"
#include "base/file.h"

#include "tests/unit/unit.h"

#include <fcntl.h>
#include <sys/stat.h>

static char place[] = "/tmp/cdt-sys.XXXXXX";
static int sys = FD_NONE;

static void put(const char *folder, const char *name, const char *text)
{
    autofree char *path = str_format("%s/%s", place, folder);
    assert_int_equal(file_make_dirs(path, 0755), 0);
    autoclose int dir = open(path, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
    assert_int_equal(file_write_whole(dir, name, text, strlen(text), 0644, false), 0);
}

static void make_pci(const char *address, const char *class, const char *group, const char *driver)
{
    autofree char *folder = str_format("bus/pci/devices/%s", address);
    put(folder, "class", class);
    autofree char *in = str_format("%s/%s", place, folder);
    autoclose int dir = open(in, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
    if (group) {
        autofree char *target = str_format("../../../kernel/iommu_groups/%s", group);
        autofree char *member = str_format("kernel/iommu_groups/%s/devices/%s", group, address);
        assert_int_equal(symlinkat(target, dir, "iommu_group"), 0);
        put(member, "is", "here");
    }
    if (driver) {
        autofree char *target = str_format("../../../bus/pci/drivers/%s", driver);
        assert_int_equal(symlinkat(target, dir, "driver"), 0);
    }
}

static void make_usb(const char *name, const char *vendor, const char *product, const char *class)
{
    autofree char *folder = str_format("bus/usb/devices/%s", name);
    put(folder, "idVendor", vendor);
    put(folder, "idProduct", product);
    put(folder, "bDeviceClass", class);
}

static int make_host(void **state)
{
    assert_non_null(mkdtemp(place));
    sys = open(place, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
    make_pci("0000:00:01.0", "0x060400", "1", "pcieport");
    make_pci("0000:01:00.0", "0x030000", "1", "nouveau");
    make_pci("0000:01:00.1", "0x040300", "1", "snd_hda_intel");
    make_pci("0000:02:00.0", "0x020000", "2", "vfio-pci");
    make_pci("0000:03:00.0", "0x020000", NULL, "e1000e");
    put("bus/pci/devices/0000:01:00.0", "boot_vga", "1\n");
    make_usb("1-1", "046d\n", "c52b\n", "00\n");
    make_usb("1-2", "0781\n", "5567\n", "00\n");
    make_usb("1-3", "0781\n", "5567\n", "00\n");
    make_usb("usb1", "1d6b\n", "0002\n", "09\n");
    put("bus/usb/devices/1-1:1.0", "bInterfaceClass", "03\n");
    return 0;
}

static int remove_host(void **state)
{
    sys = fd_close(sys);
    return file_remove_tree(AT_FDCWD, place);
}

static struct passthrough seen;

static void look(bool gpu, const char *one, const char *two)
{
    char *const devices[] = {(char *)one, (char *)two, NULL};
    passthrough_done(&seen);
    passthrough_look(sys, devices, gpu, &seen);
}

static void refused(const char *one, const char *two, const char *why)
{
    look(false, one, two);
    assert_int_equal(strv_length(seen.refused), 1);
    if (!strstr(seen.refused[0], why))
        fail_msg("\"%s\" does not say \"%s\"", seen.refused[0], why);
    passthrough_done(&seen);
}

static void a_whole_group(void **state)
{
    look(true, "pci:01:00.0", "pci:0000:01:00.1");
    assert_null(seen.refused);
    assert_int_equal(strv_length(seen.notes), 3);
    assert_non_null(strstr(seen.notes[0], "its driver nouveau"));
    assert_non_null(strstr(seen.notes[1], "goes dark"));
    assert_non_null(strstr(seen.notes[2], "snd_hda_intel"));
    look(false, "pci:0000:02:00.0", NULL); /* waits for it already */
    assert_null(seen.refused);
    assert_null(seen.notes);
    passthrough_done(&seen);
}

static void half_a_group(void **state)
{
    refused("pci:0000:01:00.0", NULL, "none: pci:0000:01:00.1");
    refused("pci:0000:01:00.1", NULL, "pci:0000:01:00.0");
}

static void no_group(void **state)
{
    refused("pci:0000:03:00.0", NULL, "no IOMMU group");
    refused("pci:0000:00:01.0", NULL, "bridge");
    refused("pci:0000:0f:00.0", NULL, "no such device");
}

static void no_address(void **state)
{
    static const char *const wrong[] = {"pci:",        "pci:01:00",    "pci:01:00.8",
                                        "pci:01:20.0", "pci:01:00.0x", "pci:0000:01:00.0:0",
                                        "pci: 1:00.0", "pci:../../x"};
    for (size_t i = 0; i < ARRAY_SIZE(wrong); i++)
        refused(wrong[i], NULL, "DOMAIN:BUS:SLOT.FUNCTION");
    refused("usb:46d:c52b", NULL, "VENDOR:PRODUCT");
    refused("usb:046d:c52b1", NULL, "VENDOR:PRODUCT");
    refused("usb:046dxc52b", NULL, "VENDOR:PRODUCT");
    refused("isa:1", NULL, "pci:ADDRESS or usb:");
}

static void a_usb_device(void **state)
{
    look(false, "usb:046d:C52B", NULL);
    assert_null(seen.refused);
    assert_int_equal(strv_length(seen.notes), 1);
    refused("usb:0781:5567", NULL, "several");
    refused("usb:1d6b:0002", NULL, "hub");
    refused("usb:0000:0001", NULL, "no such device");
}

static void a_gpu_that_is_none(void **state)
{
    look(true, "pci:0000:02:00.0", NULL);
    assert_int_equal(strv_length(seen.refused), 1);
    assert_non_null(strstr(seen.refused[0], "no graphics processor"));
    look(true, NULL, NULL);
    assert_int_equal(strv_length(seen.refused), 1);
    passthrough_done(&seen);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(a_whole_group), cmocka_unit_test(half_a_group),
        cmocka_unit_test(no_group),      cmocka_unit_test(no_address),
        cmocka_unit_test(a_usb_device),  cmocka_unit_test(a_gpu_that_is_none),
    };
    return cmocka_run_group_tests_name("passthrough", tests, make_host, remove_host);
}
