/*
 * Devices of the host that are to be handed over to a machine ("pci:ADDRESS",
 * "usb:VENDOR:PRODUCT"): what sysfs says of them. Nothing is bound or unbound here: libvirt does
 * that when the machine starts, and gives them back at its end.
 */
#ifndef COFFERDAM_BACKENDS_LIBVIRT_PASSTHROUGH_H
#define COFFERDAM_BACKENDS_LIBVIRT_PASSTHROUGH_H

#include "base/error.h"
#include "base/str.h"

struct passthrough {
    char **refused; /* owned; why not, a sentence each; NULL: nothing is wrong */
    char **notes;   /* owned; what becomes of the host's use of them, a sentence each */
};
void passthrough_done(struct passthrough *h);

/* Of PCI: what it is by its four numbers. Pure. -EINVAL with text. */
struct pci_place {
    unsigned domain, bus, slot, function;
};
int pci_place_read(const char *text, struct pci_place *ret, struct error *e);
/* Of USB: "VENDOR:PRODUCT", four hex digits each. Pure. */
int usb_kind_read(const char *text, unsigned *ret_vendor, unsigned *ret_product, struct error *e);

/*
 * `sys`: /sys, or a tree made like it. Of a PCI device the whole IOMMU group has to be named, but
 * for bridges: those in one group can write into one another's memory. Of a kind of USB device
 * there has to be exactly one. `gpu`: one of them has to be a graphics processor.
 */
void passthrough_look(int sys, char *const *devices, bool gpu, struct passthrough *ret);

#endif
