/* A machine, and the requests that make it, as one text: METHOD PATH BODY, a line each. */
#ifndef COFFERDAM_TESTS_UNIT_MACHINES_H
#define COFFERDAM_TESTS_UNIT_MACHINES_H

#include "backends/microvm/api.h"
#include "backends/microvm/vmm.h"

static inline char *shown(struct api_requests r)
{
    autobuf text = {0};
    for (size_t i = 0; i < r.count; i++)
        buf_printf(&text, "%s %s %s\n", r.list[i].method, r.list[i].path, r.list[i].body);
    api_requests_done(&r);
    return buf_take(&text);
}

static inline struct plan machine(const char *program)
{
    struct plan p = {
        .id = (char *)"0123456789ab", .boundary = PLAN_MICROVM, .landlock = PLAN_LANDLOCK_AUTO};
    p.machine = (struct plan_machine){.type = (char *)"microvm",
                                      .cpus = 2,
                                      .memory = 192ull << 20,
                                      .program = (char *)program,
                                      .kernel = (char *)"/c/vmlinux",
                                      .initramfs = (char *)"/c/initramfs",
                                      .root = (char *)"/c/root.squashfs"};
    return p;
}

#endif
