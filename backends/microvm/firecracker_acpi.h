/*
 * What Firecracker before 1.8 leaves unsaid, for kernels that read no virtio-mmio devices off their
 * command line: its processors, interrupts and devices as ACPI tables (ACPI 6.5, as 1.8 and newer
 * write them), to lie in a guest's memory where a PC's firmware has them and a kernel looks.
 */
#ifndef COFFERDAM_BACKENDS_MICROVM_FIRECRACKER_ACPI_H
#define COFFERDAM_BACKENDS_MICROVM_FIRECRACKER_ACPI_H

#include "base/str.h"

/* Where devices of virtio are: each a page of registers and an interrupt of its own, one behind
 * the other. */
struct firecracker_acpi {
    uint64_t at; /* the tables themselves; below 4 GiB, a multiple of 16 */
    uint32_t registers, step, interrupt;
    unsigned devices, processors;
};

/* Those of Firecracker 1.7 on x86: as many as it can have here. One that is not there is found to
 * be none; of processors a kernel is told how many it has (nr_cpus=). */
extern const struct firecracker_acpi firecracker_acpi_usual;

/* Changes whenever the bytes of the usual do. */
#define FIRECRACKER_ACPI_NAME "acpi 1"

/* Pure; the caller's. */
struct buf firecracker_acpi(const struct firecracker_acpi *w);

#endif
