#include "backends/libvirt/passthrough.h"

#include "base/fd.h"
#include "base/file.h"

#include <dirent.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

enum { PCI_DISPLAY = 0x03, PCI_BRIDGE = 0x06, USB_HUB = 0x09, HAND_NAME = 32 };

void passthrough_done(struct passthrough *h)
{
    strv_free(h->refused);
    strv_free(h->notes);
    *h = (struct passthrough){0};
}

/* --- names ------------------------------------------------------------------------------------ */

int pci_place_read(const char *text, struct pci_place *ret, struct error *e)
{
    struct pci_place p = {0};
    int end = 0;
    if (sscanf(text, "%4x:%2x:%2x.%1x%n", &p.domain, &p.bus, &p.slot, &p.function, &end) != 4 ||
        text[end]) {
        p.domain = 0;
        end = 0;
        if (sscanf(text, "%2x:%2x.%1x%n", &p.bus, &p.slot, &p.function, &end) != 3 || text[end])
            end = -1;
    }
    if (end < 0 || p.slot > 31 || p.function > 7 ||
        strspn(text, "0123456789abcdefABCDEF:.") != strlen(text)) {
        autofree char *shown = str_escape_z(text);
        return error_set(e, EINVAL,
                         "pci:%.60s: an address is DOMAIN:BUS:SLOT.FUNCTION, 0000:01:00.0", shown);
    }
    *ret = p;
    return 0;
}

int usb_kind_read(const char *text, unsigned *ret_vendor, unsigned *ret_product, struct error *e)
{
    unsigned vendor, product;
    int end = 0;
    if (strlen(text) != 9 || strspn(text, "0123456789abcdefABCDEF:") != 9 ||
        sscanf(text, "%4x:%4x%n", &vendor, &product, &end) != 2 || end != 9) {
        autofree char *shown = str_escape_z(text);
        return error_set(e, EINVAL, "usb:%.60s: a kind of device is VENDOR:PRODUCT, 046d:c52b",
                         shown);
    }
    *ret_vendor = vendor;
    *ret_product = product;
    return 0;
}

static void pci_name(const struct pci_place *p, char ret[HAND_NAME])
{
    snprintf(ret, HAND_NAME, "%04x:%02x:%02x.%x", p->domain, p->bus, p->slot, p->function);
}

/* --- what sysfs has --------------------------------------------------------------------------- */

/* A number in hex, with or without 0x; -1: there is none. */
static long look_number(int sys, const char *folder, const char *name)
{
    autofree char *path = str_join_path(folder, name), *text = NULL;
    size_t size = 0;
    return file_read_virtual(sys, path, 64, &text, &size) < 0 ? -1 : strtol(text, NULL, 16);
}

/* The last part of where a link leads; NULL: there is none. */
static char *look_link(int sys, const char *folder, const char *name)
{
    autofree char *path = str_join_path(folder, name);
    char target[512];
    ssize_t n = readlinkat(sys, path, target, sizeof(target) - 1);
    if (n <= 0)
        return NULL;
    target[n] = '\0';
    const char *slash = strrchr(target, '/');
    return str_dup(slash ? slash + 1 : target);
}

static DIR *look_folder(int sys, const char *path)
{
    int fd = openat(sys, path, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
    DIR *d = fd < 0 ? NULL : fdopendir(fd);
    if (!d)
        fd_close(fd);
    return d;
}

/* --- PCI -------------------------------------------------------------------------------------- */

struct look {
    int sys;
    char *const *devices; /* all that are named */
    struct passthrough *to;
    bool display; /* a graphics processor is among them */
};

static bool look_is_named(const struct look *l, const char *address)
{
    for (size_t i = 0; l->devices[i]; i++) {
        struct pci_place p;
        struct error ignored;
        char name[HAND_NAME];
        if (!str_starts(l->devices[i], "pci:") ||
            pci_place_read(l->devices[i] + 4, &p, &ignored) < 0)
            continue;
        pci_name(&p, name);
        if (str_equal(name, address))
            return true;
    }
    return false;
}

static void look_group(struct look *l, const char *address, const char *group)
{
    autofree char *path = str_format("kernel/iommu_groups/%s/devices", group);
    autobuf missing = {0};
    DIR *d = look_folder(l->sys, path);
    for (struct dirent *one; d && (one = readdir(d));) {
        autofree char *folder = str_format("bus/pci/devices/%s", one->d_name);
        if (one->d_name[0] == '.' || look_is_named(l, one->d_name) ||
            look_number(l->sys, folder, "class") >> 16 == PCI_BRIDGE)
            continue;
        buf_printf(&missing, " pci:%s", one->d_name);
    }
    if (d)
        closedir(d);
    else
        strv_take(&l->to->refused,
                  str_format("pci:%s: its IOMMU group %s cannot be read", address, group));
    if (missing.used) {
        autofree char *names = buf_take(&missing);
        strv_take(
            &l->to->refused,
            str_format(
                "pci:%s: IOMMU group %s has others in it, which could write into what has it: "
                "hand over these too, or none:%s",
                address, group, names));
    }
}

static void look_pci(struct look *l, const char *text)
{
    struct pci_place p;
    struct error e;
    char name[HAND_NAME];
    if (pci_place_read(text, &p, &e) < 0) {
        strv_add(&l->to->refused, e.text);
        return;
    }
    pci_name(&p, name);
    autofree char *folder = str_format("bus/pci/devices/%s", name);
    long class = look_number(l->sys, folder, "class");
    autofree char *group = look_link(l->sys, folder, "iommu_group");
    autofree char *driver = look_link(l->sys, folder, "driver");
    if (class < 0) {
        strv_take(&l->to->refused, str_format("pci:%s: this host has no such device", name));
        return;
    }
    if (class >> 16 == PCI_BRIDGE) {
        strv_take(&l->to->refused, str_format("pci:%s: a bridge cannot be handed over", name));
        return;
    }
    l->display = l->display || class >> 16 == PCI_DISPLAY;
    if (!group)
        strv_take(&l->to->refused,
                  str_format("pci:%s: it is in no IOMMU group: it could write into all "
                             "of this host's memory",
                             name));
    else
        look_group(l, name, group);
    if (driver && !str_equal(driver, "vfio-pci"))
        strv_take(&l->to->notes,
                  str_format("pci:%s is taken from its driver %s while the machine runs, "
                             "and given to vfio-pci",
                             name, driver));
    if (look_number(l->sys, folder, "boot_vga") == 1)
        strv_take(&l->to->notes,
                  str_format("pci:%s shows this host's own screen, which goes dark", name));
}

/* --- USB -------------------------------------------------------------------------------------- */

static void look_usb(struct look *l, const char *text)
{
    unsigned vendor, product, found = 0;
    struct error e;
    bool hub = false;
    if (usb_kind_read(text, &vendor, &product, &e) < 0) {
        strv_add(&l->to->refused, e.text);
        return;
    }
    DIR *d = look_folder(l->sys, "bus/usb/devices");
    for (struct dirent *one; d && (one = readdir(d));) {
        autofree char *folder = str_format("bus/usb/devices/%s", one->d_name);
        if (one->d_name[0] == '.' || look_number(l->sys, folder, "idVendor") != (long)vendor ||
            look_number(l->sys, folder, "idProduct") != (long)product)
            continue;
        found++;
        hub = hub || look_number(l->sys, folder, "bDeviceClass") == USB_HUB;
    }
    if (d)
        closedir(d);
    if (found != 1 || hub)
        strv_take(&l->to->refused,
                  str_format("usb:%04x:%04x: %s", vendor, product,
                             hub ? "a hub cannot be handed over"
                             : found == 0
                                 ? "this host has no such device"
                                 : "this host has several of the kind: unplug all but one"));
    else
        strv_take(&l->to->notes,
                  str_format("usb:%04x:%04x is taken from this host while the machine runs", vendor,
                             product));
}

void passthrough_look(int sys, char *const *devices, bool gpu, struct passthrough *ret)
{
    struct look l = {.sys = sys, .devices = devices, .to = ret};
    *ret = (struct passthrough){0};
    for (size_t i = 0; devices && devices[i]; i++) {
        if (str_starts(devices[i], "pci:")) {
            look_pci(&l, devices[i] + 4);
        } else if (str_starts(devices[i], "usb:")) {
            look_usb(&l, devices[i] + 4);
        } else {
            autofree char *shown = str_escape_z(devices[i]);
            strv_take(&ret->refused,
                      str_format("%.60s: a device is pci:ADDRESS or usb:VENDOR:PRODUCT", shown));
        }
    }
    if (gpu && !l.display)
        strv_add(
            &ret->refused,
            "no graphics processor is named: --set machine.device=pci:ADDRESS (lspci -d ::0300)");
}
