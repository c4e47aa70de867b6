/* What a machine's program is made of here, and whether KVM runs: found out once per boot. */
#ifndef COFFERDAM_BACKENDS_MICROVM_FACTS_H
#define COFFERDAM_BACKENDS_MICROVM_FACTS_H

#include "base/error.h"
#include "base/str.h"

struct vmm_facts {
    char *program, *version; /* owned */
    char *jailer;     /* owned; of its version, beside it, where we are root; NULL: there is none */
    char *no_jailer;  /* owned; why one that lies there is not taken; NULL: it is, or none does */
    char **files;     /* owned; libraries, modules and firmware, as it looks them up */
    char *no_kvm;     /* owned; why KVM cannot be had; NULL: it runs */
    uint64_t tsc_khz; /* of this machine; 0: not known */
};
void vmm_facts_done(struct vmm_facts *f);

/*
 * Of qemu-system-ARCH. Kept in CACHE/machine/qemu for as long as the program, this boot, the caller
 * and /dev/kvm are the same: then a few calls. -ENOENT: it is not installed.
 */
int qemu_facts(const char *cache, struct vmm_facts *ret, struct error *e);

/*
 * The same of `firecracker` or `cloud-hypervisor`; `path`: that program and no other (NULL: where
 * such programs are). Kept in CACHE/machine/NAME, for as long as the jailer beside it is the same
 * too (or there is none).
 */
int vmm_facts_of(const char *cache, const char *name, const char *path, struct vmm_facts *ret,
                 struct error *e);

/*
 * The same of virtiofsd. -ENOENT: it is not installed; -ENOTSUP: none that is driven here, which is
 * the one that came with QEMU up to 7.2.
 */
int virtiofsd_facts(const char *cache, struct vmm_facts *ret, struct error *e);

/* The libraries a program needs, as its own loader finds them; its loader first. NULL with text. */
char **vmm_libraries(const char *program, struct error *e);

#endif
