/* What a machine is put together from here: its program, a kernel, an initramfs, a disk. */
#ifndef COFFERDAM_APP_CLI_MACHINE_H
#define COFFERDAM_APP_CLI_MACHINE_H

#include "app/cli/images.h"
#include "app/plan/plan.h"
#include "backends/libvirt/passthrough.h"
#include "backends/microvm/facts.h"
#include "images/disk_image.h"
#include "images/initramfs.h"

struct machine_parts {
    struct vmm_facts facts;         /* owned */
    struct vmm_facts virtiofsd;     /* owned; where it serves folders */
    char *no_virtiofsd;             /* owned */
    struct kernel_list kernels;     /* owned */
    struct initramfs initramfs;     /* owned */
    struct disk disk;               /* owned */
    char *blank, *no_blank;         /* owned; of a scratch disk */
    char *kernel, *no_kernel;       /* owned */
    char *folder, *vars, **client;  /* owned; of a whole machine */
    struct passthrough passthrough; /* owned */
    char *choice;                   /* owned; why this program; NULL: it was named */
    bool whole;                     /* a whole machine's: its devices are on PCI */
    struct plan_parts parts;        /* points into the others */
};

/* What the settings say of it; all may be NULL. */
struct machine_wish {
    const char *runtime, *accel, *type;
    const char *release; /* of the kernel, or its beginning; NULL: the best */
    bool warm;
    bool leads_out;     /* it has a network */
    uint64_t scratch;   /* bytes of a scratch disk; 0: none */
    const char *shares; /* how folders of the host are served to it: "9p", "virtiofs"; "none" */
    char *const *disks; /* further ones, of a microVM */
    bool whole;         /* at the vm boundary, where it has a chipset */
    const char *disk;   /* that it boots; "" or NULL: none */
    uint64_t disk_size; /* bytes it is to appear to have; 0: its own */
};

/*
 * Finds them; what is not in the cache is made, which is said on stderr. What this host lacks is
 * left out for plan_check() to name; an error is something that went wrong. `image`: loaded,
 * or NULL: none of the store.
 */
int machine_find_parts(const struct dirs *d, const struct machine_wish *w,
                       struct images_launch *image, struct machine_parts *ret, struct error *e);

/*
 * Of a plan that was made earlier: what its disk begins as is made again, and named in it, if it is
 * not in the cache any more.
 */
int machine_blank_again(const struct dirs *d, struct plan *p, struct error *e);

/* What a whole machine is to be, as the settings say it; borrowed, may be NULL. */
struct machine_whole {
    const char *uri, *firmware;
    const char *disk;     /* that it boots; "": another, or none */
    char *const *devices; /* machine.device */
    bool gpu;             /* a real one */
    const char *release;  /* as machine_wish's, where it boots an image */
};
/* The same for a whole machine; `image` NULL: its disks bring their own kernels. */
int machine_find_whole(const struct dirs *d, const struct machine_whole *w, uint32_t uid,
                       struct images_launch *image, struct machine_parts *ret, struct error *e);
/* machine_choice.c: fills in whose facts and name are taken, and why. */
void machine_choose(const struct dirs *d, const struct machine_wish *w, struct machine_parts *m);
/*
 * Whether this kernel finds its devices under that Firecracker: -ENOTSUP; 1: with tables beside it
 * (firecracker_acpi.h).
 */
struct firecracker_version;
int machine_kernel_suits(const struct kernel *k, const char *vmlinux,
                         const struct firecracker_version *v, struct error *e);

void machine_parts_done(struct machine_parts *m); /* zeroed is fine */

#endif
