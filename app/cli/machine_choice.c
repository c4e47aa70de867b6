/* Which program runs a microVM: who is named, or the first that can do what is wanted. */
#include "app/cli/machine.h"
#include "backends/microvm/cloud_hypervisor_requests.h"
#include "backends/microvm/firecracker_requests.h"

#include <fcntl.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <unistd.h>

/* --- whether a kernel finds its devices ---------------------------------------------------------
 */

/* The name of the parameter stands in a kernel that reads it. */
static bool choice_image_has(const char *path, const char *what)
{
    struct stat st;
    autoclose int fd = open(path, O_RDONLY | O_CLOEXEC);
    if (fd < 0 || fstat(fd, &st) < 0 || st.st_size <= 0)
        return false;
    void *p = mmap(NULL, (size_t)st.st_size, PROT_READ, MAP_PRIVATE, fd, 0);
    if (p == MAP_FAILED)
        return false;
    bool found = memmem(p, (size_t)st.st_size, what, strlen(what)) != NULL;
    munmap(p, (size_t)st.st_size);
    return found;
}

/* By the kernel's configuration where that is here, else by what stands in the kernel itself. */
int machine_kernel_suits(const struct kernel *k, const char *vmlinux,
                         const struct firecracker_version *v, struct error *e)
{
    bool line = kernel_config_has(k, "CONFIG_VIRTIO_MMIO_CMDLINE_DEVICES") == 1 &&
                kernel_config_has(k, "CONFIG_VIRTIO_MMIO") == 1;
    int acpi = kernel_config_has(k, "CONFIG_ACPI");
    int serial = kernel_config_has(k, "CONFIG_SERIAL_8250_CONSOLE");
    if (acpi < 0) {
        line = choice_image_has(vmlinux, "virtio_mmio.device");
        acpi = choice_image_has(vmlinux, "LNRO0005");
        serial = 1;
    }
    if (!line && !acpi)
        return error_set(e, ENOTSUP,
                         "the kernel %s finds no virtio-mmio devices: it has neither ACPI "
                         "nor CONFIG_VIRTIO_MMIO_CMDLINE_DEVICES",
                         k->release);
    if (!serial)
        return error_set(e, ENOTSUP, "the kernel %s lacks CONFIG_SERIAL_8250_CONSOLE", k->release);
    return !line && v->minor < FIRECRACKER_ACPI;
}

/* --- the choice ---------------------------------------------------------------------------------
 */

struct choice_row {
    const char *runtime;
    int (*suits)(const struct dirs *d, const struct machine_wish *w, const char *version,
                 struct error *e);
};

/* Under an old one not every kernel finds its devices; under the next it may. */
static int choice_firecracker(const struct dirs *d, const struct machine_wish *w,
                              const char *version, struct error *e)
{
    struct firecracker_version v;
    struct kernel_list kernels = {0};
    const struct kernel *k = NULL;
    autofree char *vmlinux = NULL;
    bool pvh = false;
    int r = firecracker_version_read(version, &v, e);
    if (r < 0 || v.minor >= FIRECRACKER_ACPI)
        return r;
    r = kernel_list_read(d->data, "", &kernels, e);
    if (r == 0)
        r = kernel_choose(&kernels, w->release, &k, e);
    if (r == 0)
        r = kernel_vmlinux(d->cache, k, &vmlinux, &pvh, e);
    if (r == 0)
        r = MIN(machine_kernel_suits(k, vmlinux, &v, e), 0);
    kernel_list_done(&kernels);
    return r;
}

static int choice_cloud_hypervisor(const struct dirs *d, const struct machine_wish *w,
                                   const char *version, struct error *e)
{
    struct cloud_hypervisor_version v;
    int r = cloud_hypervisor_version_read(version, &v, e);
    const char *key = w->disks && w->disks[0] ? "disk" : w->scratch ? "scratch" : NULL;
    if (r == 0 && key && !cloud_hypervisor_takes_formats(&v))
        r = error_set(e, ENOTSUP, "%s guesses the format of a disk (machine.%s)", version, key);
    return r;
}

/* Those on KVM alone, the smaller first. */
static const struct choice_row choices[] = {
    {"firecracker",      choice_firecracker     },
    {"cloud-hypervisor", choice_cloud_hypervisor},
};

static int choice_try(const struct choice_row *c, const struct dirs *d,
                      const struct machine_wish *w, struct vmm_facts *ret, struct error *e)
{
    struct vmm_facts f = {0};
    int r = vmm_facts_of(d->cache, c->runtime, NULL, &f, e);
    if (r == 0 && str_equal(w->accel, "tcg"))
        r = error_set(e, ENOTSUP, "it cannot emulate (machine.accel = tcg)");
    if (r == 0 && f.no_kvm)
        r = error_set(e, ENOTSUP, "%s", f.no_kvm);
    if (r == 0 && w->warm && !plan_runtime_warms(c->runtime))
        r = error_set(e, ENOTSUP, "it starts from no template (machine.warm)");
    if (r == 0 && w->leads_out && !plan_runtime_leads_out(c->runtime))
        r = error_set(e, ENOTSUP, "it has no network here (network.mode)");
    if (r == 0 && !str_empty(w->shares) && !str_equal(w->shares, "none") &&
        !plan_runtime_shares(c->runtime, w->shares))
        r = error_set(e, ENOTSUP, "it serves no folders so (machine.shares = %s)", w->shares);
    if (r == 0 && !str_empty(w->type) && !str_equal(w->type, "auto") &&
        !str_equal(w->type, "microvm"))
        r = error_set(e, ENOTSUP, "machine.type = %s", w->type);
    if (r == 0)
        r = c->suits(d, w, f.version ? f.version : "", e);
    if (r == 0)
        *ret = f;
    else
        vmm_facts_done(&f);
    return r;
}

/* Facts of the one that was named; nothing where it is not here, which plan_check() says. */
static void choice_named(const struct dirs *d, const char *runtime, struct machine_parts *m)
{
    struct error why;
    if (str_equal(runtime, "qemu"))
        qemu_facts(d->cache, &m->facts, &why);
    else if (runtime[0] == '/')
        vmm_facts_of(d->cache, strrchr(runtime, '/') + 1, runtime, &m->facts, &why);
    else
        vmm_facts_of(d->cache, runtime, NULL, &m->facts, &why);
}

void machine_choose(const struct dirs *d, const struct machine_wish *w, struct machine_parts *m)
{
    struct error why;
    if (!str_empty(w->runtime) && !str_equal(w->runtime, "auto")) {
        m->parts.runtime = w->runtime;
        choice_named(d, w->runtime, m);
        return;
    }
    autobuf passed = {0};
    for (size_t i = 0; i < ARRAY_SIZE(choices); i++) {
        if (choice_try(&choices[i], d, w, &m->facts, &why) == 0) {
            m->parts.runtime = choices[i].runtime;
            m->choice = str_format("%s: the first of firecracker, cloud-hypervisor and qemu that "
                                   "can do it%s%s",
                                   choices[i].runtime, passed.used ? "; " : "",
                                   passed.used ? passed.data : "");
            return;
        }
        buf_printf(&passed, "%s%s: %s", passed.used ? "; " : "", choices[i].runtime, why.text);
    }
    m->parts.runtime = "qemu";
    m->choice = str_format("qemu: %s", passed.data);
    qemu_facts(d->cache, &m->facts, &why);
}
