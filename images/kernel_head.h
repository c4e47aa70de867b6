/*
 * What the bytes of kernels and their modules say: pure readers of what somebody gave us.
 *
 * bzImage: Linux's Documentation/arch/x86/boot.rst. vmlinux: ELF with, for machines that start it
 * directly, the PVH note (xen/interface/elfnote.h). Modules: ELF with a section ".modinfo".
 */
#ifndef COFFERDAM_IMAGES_KERNEL_HEAD_H
#define COFFERDAM_IMAGES_KERNEL_HEAD_H

#include "images/compression.h"

#include "base/error.h"
#include "base/str.h"

enum kernel_form {
    KERNEL_BZIMAGE, /* x86's compressed one, with a header for boot loaders */
    KERNEL_VMLINUX, /* ELF */
};

struct kernel_head {
    enum kernel_form form;
    unsigned protocol;      /* of a bzImage: 0x020f is 2.15 */
    char version[256];      /* "6.1.0-18-amd64 (…) #1 SMP …", "" if it does not say; escaped */
    char release[65];       /* its first word; "" if it does not say */
    uint64_t payload, size; /* of a bzImage: where the packed vmlinux is in the file, its bytes */
    bool pvh;               /* of a vmlinux */
};

enum { KERNEL_HEAD = 64 * 1024, KERNEL_MAX = 512 << 20 };

/*
 * A kernel by its first bytes (KERNEL_HEAD of them, or all there are). -ENOEXEC: it is none, or for
 * another processor; -EBADMSG: cut off.
 */
int kernel_head_read(const void *head, size_t size, uint64_t file_size, struct kernel_head *ret,
                     struct error *e);

/* A word that can be a release and a file's name: letters, digits, "._+-~", no dot first. */
bool kernel_is_release(const char *s);

/* Fills `pvh` from the whole vmlinux, and if asked, looks through all of it for the version. */
int kernel_vmlinux_read(const void *data, size_t size, bool version, struct kernel_head *ret,
                        struct error *e);

/* A module's modinfo. */
struct kernel_module_info {
    char *name;     /* owned; with '_' for '-', as the kernel has it; NULL: not said */
    char **depends; /* owned; names that have to be there before */
    char **soft;    /* owned; names (or aliases) that had better be */
};
int kernel_module_read(const void *data, size_t size, struct kernel_module_info *ret,
                       struct error *e);
void kernel_module_info_done(struct kernel_module_info *i);

#endif
