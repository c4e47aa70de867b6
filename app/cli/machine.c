#include "app/cli/machine.h"

#include "backends/libvirt/libvirt.h"
#include "backends/microvm/firecracker_acpi.h"
#include "backends/microvm/firecracker_requests.h"
#include "base/module.h"
#include "images/blank.h"

#include <dirent.h>
#include <fcntl.h>
#include <stdio.h>
#include <sys/stat.h>
#include <unistd.h>

/* Of every guest; others are loaded by those that have the device. */
static const unsigned machine_drivers = 1u << KERNEL_VIRTIO_MMIO | 1u << KERNEL_BLK |
                                        1u << KERNEL_CONSOLE | 1u << KERNEL_SQUASHFS |
                                        1u << KERNEL_OVERLAY;

/* Of those that have the agent on vsock. */
static const unsigned machine_drivers_vsock =
    1u << KERNEL_VIRTIO_MMIO | 1u << KERNEL_BLK | 1u << KERNEL_VSOCK | 1u << KERNEL_RNG |
    1u << KERNEL_BALLOON | 1u << KERNEL_SQUASHFS | 1u << KERNEL_OVERLAY;

/* Of a guest of QEMU's, or libvirt's, with a chipset. */
static const unsigned machine_drivers_chipset = 1u << KERNEL_VIRTIO_PCI | 1u << KERNEL_BLK |
                                                1u << KERNEL_CONSOLE | 1u << KERNEL_SQUASHFS |
                                                1u << KERNEL_OVERLAY;

/* The same as the vsock ones, of those whose devices are on PCI. */
static const unsigned machine_drivers_pci =
    1u << KERNEL_VIRTIO_PCI | 1u << KERNEL_BLK | 1u << KERNEL_VSOCK | 1u << KERNEL_RNG |
    1u << KERNEL_BALLOON | 1u << KERNEL_SQUASHFS | 1u << KERNEL_OVERLAY;

static bool machine_is_firecracker(const struct machine_parts *m)
{
    return !m->whole && plan_runtime_is(m->parts.runtime, "firecracker");
}

static unsigned machine_drivers_of(const struct machine_parts *m, const struct machine_wish *w)
{
    bool chipset = w->whole || str_equal(w->type, "q35") || str_equal(w->type, "pc");
    if (m->whole)
        return machine_drivers_chipset;
    return machine_is_firecracker(m)                               ? machine_drivers_vsock
           : plan_runtime_is(m->parts.runtime, "cloud-hypervisor") ? machine_drivers_pci
           : chipset                                               ? machine_drivers_chipset
                                                                   : machine_drivers;
}

/* Firecracker unpacks nothing, and not every kernel finds its devices. 1: it has to be told. */
static int machine_kernel_fits(const struct machine_parts *m, const struct kernel *k,
                               const char *vmlinux, struct error *e)
{
    struct firecracker_version v;
    if (!machine_is_firecracker(m) || !m->facts.version ||
        firecracker_version_read(m->facts.version, &v, e) < 0)
        return 0; /* its own check says so */
    if (!vmlinux)
        return error_set(e, ENOTSUP,
                         "Firecracker boots an uncompressed kernel, and %s is packed in a "
                         "way nothing here unpacks",
                         k->path);
    return machine_kernel_suits(k, vmlinux, &v, e);
}

static int machine_kernel_told(const char *cache, const struct kernel *k, char **ret,
                               struct error *e)
{
    autobuf tables = firecracker_acpi(&firecracker_acpi_usual);
    const struct kernel_extra x = {.name = FIRECRACKER_ACPI_NAME,
                                   .address = firecracker_acpi_usual.at,
                                   .bytes = tables.data,
                                   .size = tables.used};
    char *told = NULL;
    int r = kernel_vmlinux_plus(cache, k, &x, &told, e);
    if (r < 0)
        return r;
    free(*ret);
    *ret = told;
    return 0;
}

static unsigned machine_shares(const struct machine_parts *m, const struct machine_wish *w)
{
    if (!plan_runtime_shares(m->parts.runtime, w->shares)) /* plan_check() says so */
        return 0;
    return str_equal(w->shares, "virtiofs") ? 1u << KERNEL_VIRTIOFS
           : str_equal(w->shares, "9p")     ? 1u << KERNEL_9P
                                            : 0;
}

/* A vmlinux starts a quarter of a second sooner than the kernel that unpacks itself. */
static int machine_kernel(struct machine_parts *m, const struct dirs *d, const struct kernel *k,
                          const struct machine_wish *wish, struct error *e)
{
    autofree char *path = NULL;
    bool pvh = false;
    int r = kernel_vmlinux(d->cache, k, &path, &pvh, e);
    if (r < 0 && r != -ENOTSUP)
        return r;
    int fits = machine_kernel_fits(m, k, path, e);
    if (fits > 0)
        fits = machine_kernel_told(d->cache, k, &path, e);
    if (fits < 0)
        return -e->code;
    m->kernel = r == 0 && (pvh || machine_is_firecracker(m)) ? TAKE(path) : str_dup(k->path);
    m->parts.kernel = m->kernel;
    m->parts.release = k->release;
    autofree char *init = module_program("cofferdam-init-readable");
    const struct initramfs_wish w = {
        .cache = d->cache,
        .kernel = k,
        .drivers = machine_drivers_of(m, wish) | (wish->scratch ? 1u << KERNEL_EXT4 : 0) |
                   (wish->leads_out ? 1u << KERNEL_NET : 0) | machine_shares(m, wish),
        .init = init};
    r = initramfs_make(&w, &m->initramfs, e);
    if (r < 0)
        return r;
    m->parts.initramfs = m->initramfs.path;
    return 0;
}

static void machine_say(void *data, const char *text)
{
    fprintf(stderr, "%s\n", text);
}

static int machine_disk(struct machine_parts *m, const struct dirs *d, struct images_launch *image,
                        struct error *e)
{
    struct image_work w = {.limits = image_limits_usual, .warn = machine_say};
    int r = disk_of_image(image->store, &image->image, &w, d->cache, &m->disk, e);
    if (r < 0)
        return error_wrap(e, "a disk of the image");
    m->parts.root = m->disk.path;
    m->parts.root_type = DISK_FILE_SYSTEM;
    return 0;
}

/* True: it was made. */
static bool machine_blank(struct machine_parts *m, const struct dirs *d, uint64_t size)
{
    struct error e;
    bool made = false;
    if (blank_make(d->cache, size, &m->blank, &made, &e) < 0)
        m->parts.no_blank = m->no_blank = str_dup(e.text);
    m->parts.blank = m->blank;
    return made;
}

static char *machine_disk_path(const struct dirs *d, const char *disk)
{
    return str_starts(disk, "~/") ? str_join_path(d->home, disk + 2) : str_dup(disk);
}

/* A disk of somebody's, and what lies over it; what is wrong with it plan_check() says. */
static void machine_overlay(struct machine_parts *m, const struct dirs *d,
                            const struct machine_wish *w)
{
    struct disk_base base = {.fd = FD_NONE};
    autofree char *path = machine_disk_path(d, w->disk);
    struct error e;
    bool made = false;
    struct stat st;
    int r = disk_base_open(path, &base, &e);
    /* nothing tells whether such a one is still what a snapshot lies over */
    if (r == 0 && fstat(base.fd, &st) == 0 && !S_ISREG(st.st_mode))
        r = error_set(&e, EINVAL,
                      "disk %s: QEMU by itself has a disk that is a file; mend: --runtime libvirt",
                      path);
    if (r == 0) {
        m->parts.disk_format = disk_format_name(base.format);
        m->parts.disk_size = w->disk_size ? w->disk_size : base.size;
        r = blank_overlay_make(d->cache, &base, w->disk_size, &m->blank, &made, &e);
    }
    disk_base_done(&base);
    if (r < 0)
        m->parts.no_blank = m->no_blank = str_dup(e.text);
    m->parts.blank = m->blank;
    if (made)
        images_bound_cache(d);
}

static int machine_overlay_again(const struct dirs *d, const struct plan_machine *m, char **ret,
                                 bool *ret_made, struct error *e)
{
    struct disk_base base = {.fd = FD_NONE};
    enum disk_format told =
        str_equal(m->disk_format, disk_format_name(DISK_RAW)) ? DISK_RAW : DISK_QCOW2;
    int r = disk_base_open_as(m->disks[0], told, &base, e);
    if (r == 0)
        r = blank_overlay_make(d->cache, &base, m->disk_size, ret, ret_made, e);
    disk_base_done(&base);
    return r;
}

int machine_blank_again(const struct dirs *d, struct plan *p, struct error *e)
{
    struct plan_machine *m = &p->machine;
    autofree char *path = NULL;
    bool made = false;
    if (!m->blank || access(m->blank, F_OK) == 0 || errno != ENOENT)
        return 0;
    int r = 0;
    if (m->scratch)
        r = blank_make(d->cache, p->limits.disk, &path, &made, e);
    else if (m->disks && m->disk_format)
        r = machine_overlay_again(d, m, &path, &made, e);
    if (r < 0 || !path)
        return r;
    free(m->blank);
    m->blank = TAKE(path);
    if (made)
        images_bound_cache(d);
    return 0;
}

/*
 * A microVM reads them as they are. A qcow2 is one for a program of the host to understand, which
 * is more to attack, and here for nothing: nothing is written.
 */
static int machine_more_disks(const struct dirs *d, char *const *disks, struct error *e)
{
    int r = 0;
    for (size_t i = 0; r == 0 && disks && disks[i]; i++) {
        struct disk_base base = {.fd = FD_NONE};
        autofree char *path = machine_disk_path(d, disks[i]);
        autofree char *shown = str_escape_z(path);
        struct stat st;
        r = disk_base_open_raw(path, &base, e);
        if (r == 0 && (fstat(base.fd, &st) < 0 || !S_ISREG(st.st_mode)))
            r = error_set(e, EINVAL, "disk %s: a microVM's further disks are files", shown);
        disk_base_done(&base);
    }
    return r < 0 ? error_wrap(e, "machine.disk") : 0;
}

/* All that a guest of ours boots from. */
static int machine_guest(struct machine_parts *m, const struct dirs *d,
                         const struct machine_wish *w, struct images_launch *image, struct error *e)
{
    const struct kernel *k = NULL;
    struct error why;
    int r = kernel_list_read(d->data, "", &m->kernels, e);
    if (r < 0)
        return r;
    r = kernel_choose(&m->kernels, w->release, &k, &why);
    if (r == 0)
        r = machine_kernel(m, d, k, w, &why);
    if (r < 0)
        m->parts.no_kernel = m->no_kernel = str_dup(why.text);
    r = image ? machine_disk(m, d, image, e) : 0;
    bool made = w->scratch >= BLANK_LEAST && machine_blank(m, d, w->scratch);
    if (r == 0 && (made || m->disk.made || m->initramfs.made))
        images_bound_cache(d);
    return r;
}

static void machine_virtiofsd(struct machine_parts *m, const struct dirs *d)
{
    struct error why;
    if (virtiofsd_facts(d->cache, &m->virtiofsd, &why) < 0)
        m->parts.no_virtiofsd = m->no_virtiofsd = str_dup(why.text);
    m->parts.virtiofsd = m->virtiofsd.program;
    m->parts.virtiofsd_files = m->virtiofsd.files;
}

int machine_find_parts(const struct dirs *d, const struct machine_wish *w,
                       struct images_launch *image, struct machine_parts *ret, struct error *e)
{
    struct machine_parts *m = ret;
    *m = (struct machine_parts){0};
    int r = machine_more_disks(d, w->disks, e);
    if (r < 0)
        return r;
    machine_choose(d, w, m);
    m->parts.choice = m->choice;
    if (!m->facts.program)
        return 0;
    m->parts = (struct plan_parts){
        .runtime = m->parts.runtime,
        .choice = m->choice,
        .program = m->facts.program,
        .version = m->facts.version,
        .jailer = m->facts.jailer,
        .no_jailer = m->facts.no_jailer,
        .files = m->facts.files,
        .no_kvm = m->facts.no_kvm,
        .tsc_khz = m->facts.tsc_khz,
    };
    if (!str_empty(w->disk)) {
        machine_overlay(m, d, w);
        return 0;
    }
    if (str_equal(w->shares, "virtiofs"))
        machine_virtiofsd(m, d);
    return machine_guest(m, d, w, image, e);
}

/* --- whole machines ----------------------------------------------------------------------------
 */

/* Secure boot's come first where that is wanted; each is of the same size as its variables. */
static void machine_firmware(struct machine_parts *m, bool secure)
{
    static const struct {
        bool secure;
        const char *loader, *vars;
    } rows[] = {
        {true,  "/usr/share/OVMF/OVMF_CODE_4M.ms.fd",        "/usr/share/OVMF/OVMF_VARS_4M.ms.fd" },
        {true,  "/usr/share/edk2/ovmf/OVMF_CODE.secboot.fd",
         "/usr/share/edk2/ovmf/OVMF_VARS.secboot.fd"                                              },
        {false, "/usr/share/OVMF/OVMF_CODE_4M.fd",           "/usr/share/OVMF/OVMF_VARS_4M.fd"    },
        {false, "/usr/share/edk2/ovmf/OVMF_CODE.fd",         "/usr/share/edk2/ovmf/OVMF_VARS.fd"  },
        {false, "/usr/share/edk2/x64/OVMF_CODE.4m.fd",       "/usr/share/edk2/x64/OVMF_VARS.4m.fd"},
    };
    for (size_t i = 0; i < ARRAY_SIZE(rows) && !m->parts.loader; i++)
        if (rows[i].secure == secure && access(rows[i].loader, R_OK) == 0 &&
            access(rows[i].vars, R_OK) == 0) {
            m->parts.loader = rows[i].loader;
            m->parts.vars = rows[i].vars;
        }
}

/*
 * What a system has written down when it was installed: which of its files starts it. The guest
 * reads all of it, so a link that came with a disk, to whatever of the person's, is not followed.
 */
static void machine_variables(struct machine_parts *m, const struct dirs *d, const char *disk)
{
    autofree char *named = machine_disk_path(d, disk);
    autofree char *path = str_format("%s.vars", named);
    struct stat usual, st;
    if (!m->parts.vars || !*disk || stat(m->parts.vars, &usual) < 0 || lstat(path, &st) < 0 ||
        !S_ISREG(st.st_mode) || st.st_size != usual.st_size || access(path, R_OK) < 0)
        return;
    m->vars = realpath(path, NULL);
    if (!m->vars)
        return;
    m->parts.vars = m->vars;
}

static bool machine_has_iommu(void)
{
    DIR *groups = opendir("/sys/kernel/iommu_groups");
    bool found = false;
    for (struct dirent *d; groups && !found && (d = readdir(groups));)
        found = d->d_name[0] != '.';
    if (groups)
        closedir(groups);
    return found;
}

static void machine_devices(struct machine_parts *m, const struct machine_whole *w)
{
    if (!w->gpu && (!w->devices || !w->devices[0]))
        return;
    autoclose int sys = open("/sys", O_PATH | O_DIRECTORY | O_CLOEXEC);
    passthrough_look(sys, w->devices, w->gpu, &m->passthrough);
    m->parts.no_devices = m->passthrough.refused;
    m->parts.device_notes = m->passthrough.notes;
}

/*
 * What is there nobody has looked at: libvirt says it at the start. Root's has a folder for disks;
 * of a person's we know no folder but one that everybody has.
 */
static void machine_far(struct machine_parts *m)
{
    autofree char *path = str_ndup(m->parts.uri, strcspn(m->parts.uri, "?"));
    m->parts.no_kvm = NULL;
    m->parts.tsc_khz = 0;
    m->folder = str_dup(str_ends(path, "/system") ? "/var/lib/libvirt/images" : "/var/tmp");
}

static void machine_near(struct machine_parts *m, const struct dirs *d,
                         const struct machine_whole *w, uint32_t uid)
{
    m->parts.away = libvirt_runs_as_another(m->parts.uri, uid);
    m->folder = m->parts.away ? str_format("%s-libvirt/machines", d->state)
                              : str_join_path(d->state, "machines");
    m->parts.iommu = machine_has_iommu();
    machine_devices(m, w);
    if (!str_empty(w->firmware) && !str_equal(w->firmware, "bios"))
        machine_firmware(m, str_equal(w->firmware, "secure-boot"));
    machine_variables(m, d, w->disk);
}

int machine_find_whole(const struct dirs *d, const struct machine_whole *w, uint32_t uid,
                       struct images_launch *image, struct machine_parts *ret, struct error *e)
{
    struct machine_parts *m = ret;
    struct error why;
    *m = (struct machine_parts){.whole = true};
    if (qemu_facts(d->cache, &m->facts, &why) == 0) {
        m->parts.program = m->facts.program;
        m->parts.version = m->facts.version;
        m->parts.no_kvm = m->facts.no_kvm;
        m->parts.tsc_khz = m->facts.tsc_khz;
    }
    m->client = libvirt_client_env(environ);
    m->parts.uri = str_empty(w->uri) ? libvirt_default_uri(uid) : w->uri;
    if (plan_uri_is_far(m->parts.uri))
        machine_far(m);
    else
        machine_near(m, d, w, uid);
    m->parts.client = m->client;
    m->parts.folder = m->folder;
    m->parts.sockets = d->runtime;
    const struct machine_wish guest = {.release = w->release};
    return image ? machine_guest(m, d, &guest, image, e) : 0;
}

void machine_parts_done(struct machine_parts *m)
{
    vmm_facts_done(&m->facts);
    vmm_facts_done(&m->virtiofsd);
    free(m->no_virtiofsd);
    kernel_list_done(&m->kernels);
    initramfs_done(&m->initramfs);
    disk_done(&m->disk);
    free(m->kernel);
    free(m->no_kernel);
    free(m->blank);
    free(m->no_blank);
    free(m->folder);
    free(m->vars);
    passthrough_done(&m->passthrough);
    strv_free(m->client);
    free(m->choice);
    *m = (struct machine_parts){0};
}
