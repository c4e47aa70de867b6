/* Whether KVM runs guests here: /dev/kvm can open and yet run nothing, or run it at a crawl. */
#ifndef COFFERDAM_BACKENDS_KVM_PROBE_H
#define COFFERDAM_BACKENDS_KVM_PROBE_H

#include "base/error.h"

/*
 * Makes a machine of one page and one processor, in a child that is killed after a second, and lets
 * it count in long mode. 0: it works; -EACCES, -ENOENT, -ETIME (it does, but so slowly that the
 * kernel must be emulating it), …: why not, as text for a person. Tried once in a process's life.
 */
int kvm_probe(struct error *e);

#endif
