#include "backends/libvirt/domain_xml.h"

#include "backends/guest/guest_line.h"
#include "backends/libvirt/passthrough.h"
#include "base/str.h"
#include "init/agent.h"

#include <stdio.h>
#include <string.h>

/* --- names ------------------------------------------------------------------------------------ */

void domain_uuid(const char *id, char ret[DOMAIN_UUID_SIZE])
{
    snprintf(ret, DOMAIN_UUID_SIZE, "c0ffe4da-0000-4000-8000-%.12s", id);
}

char *domain_name(const struct plan *p)
{
    return str_format("cofferdam-%s", p->id);
}

static char *domain_path(const char *folder, const char *name)
{
    return str_join_path(folder ? folder : "/", name);
}

char *domain_disk_path(const struct plan *p, size_t disk)
{
    char name[32];
    snprintf(name, sizeof(name), "disk%zu.qcow2", disk);
    return domain_path(p->machine.folder, name);
}

char *domain_cd_path(const struct plan *p, size_t cd)
{
    char name[32];
    snprintf(name, sizeof(name), "cd%zu.iso", cd);
    return domain_path(p->machine.folder, name);
}

char *domain_base_path(const struct plan *p, size_t disk)
{
    char name[32];
    snprintf(name, sizeof(name), "base%zu", disk);
    return domain_path(p->machine.folder, name);
}

char *domain_vars_path(const struct plan *p)
{
    return domain_path(p->machine.folder, "firmware.fd");
}

char *domain_console_path(const struct plan *p)
{
    return domain_path(p->machine.sockets, "serial");
}

char *domain_agent_path(const struct plan *p)
{
    return domain_path(p->machine.sockets, "agent");
}

char *domain_screen_path(const struct plan *p)
{
    return domain_path(p->machine.sockets, "screen");
}

char *domain_screen_away(const struct plan *p)
{
    return domain_path(p->machine.folder, "own/screen");
}

char *domain_copy_path(const struct plan *p, const char *name)
{
    return domain_path(p->machine.folder, name);
}

/* --- writing ---------------------------------------------------------------------------------- */

void domain_xml_text(struct buf *b, const char *s)
{
    for (; s && *s; s++) {
        if (*s == '<')
            buf_puts(b, "&lt;");
        else if (*s == '>')
            buf_puts(b, "&gt;");
        else if (*s == '&')
            buf_puts(b, "&amp;");
        else if (*s == '\'')
            buf_puts(b, "&apos;");
        else if (*s == '"')
            buf_puts(b, "&quot;");
        else
            buf_putc(b, (unsigned char)*s < ' ' ? '?' : *s);
    }
}

static void xml_line(struct buf *b, const char *before, const char *text, const char *after)
{
    buf_puts(b, before);
    domain_xml_text(b, text);
    buf_puts(b, after);
    buf_putc(b, '\n');
}

static void xml_puts(struct buf *b, const char *line)
{
    buf_puts(b, line);
    buf_putc(b, '\n');
}

static bool xml_old(const struct plan *p)
{
    return str_equal(p->machine.type, "pc");
}

static void xml_identity(struct buf *b, const struct plan *p)
{
    char uuid[DOMAIN_UUID_SIZE];
    autofree char *name = domain_name(p);
    domain_uuid(p->id, uuid);
    xml_line(b, "  <name>", name, "</name>");
    xml_line(b, "  <uuid>", uuid, "</uuid>");
    xml_line(b, "  <title>", p->name, "</title>");
    xml_puts(b, "  <metadata>");
    xml_line(b, "    <cofferdam:workload xmlns:cofferdam='" DOMAIN_METADATA_URI "' id='", p->id,
             "'>");
    xml_line(b, "      <cofferdam:name>", p->name, "</cofferdam:name>");
    xml_line(b, "      <cofferdam:profile>", p->profile, "</cofferdam:profile>");
    xml_puts(b, "    </cofferdam:workload>");
    xml_puts(b, "  </metadata>");
}

static void xml_size(struct buf *b, const struct plan *p)
{
    unsigned long long kib = p->machine.memory / 1024;
    buf_printf(b, "  <memory unit='KiB'>%llu</memory>\n", kib);
    buf_printf(b, "  <currentMemory unit='KiB'>%llu</currentMemory>\n", kib);
    buf_printf(b, "  <vcpu placement='static'>%u</vcpu>\n", p->machine.cpus);
}

/* Which of its files a host has for it that host's libvirt knows; it is in <os>. */
static void xml_firmware_far(struct buf *b, const struct plan *p)
{
    autofree char *vars = domain_vars_path(p);
    bool secure = str_equal(p->machine.firmware, "secure-boot");
    xml_puts(b, "    <firmware>");
    if (secure) /* without them it verifies nothing */
        xml_puts(b, "      <feature enabled='yes' name='enrolled-keys'/>");
    buf_printf(b, "      <feature enabled='%s' name='secure-boot'/>\n", secure ? "yes" : "no");
    xml_puts(b, "    </firmware>");
    xml_line(b, "    <nvram>", vars, "</nvram>");
}

static void xml_firmware(struct buf *b, const struct plan *p)
{
    const struct plan_machine *m = &p->machine;
    bool secure = str_equal(m->firmware, "secure-boot");
    if (str_equal(m->firmware, "bios"))
        return;
    if (plan_is_far(p)) {
        xml_firmware_far(b, p);
        return;
    }
    autofree char *vars = domain_vars_path(p);
    xml_line(b,
             secure ? "    <loader readonly='yes' secure='yes' type='pflash'>"
                    : "    <loader readonly='yes' type='pflash'>",
             m->loader, "</loader>");
    buf_puts(b, "    <nvram template='");
    domain_xml_text(b, m->vars);
    xml_line(b, "'>", vars, "</nvram>");
}

/* What lies in our cache, or where QEMU is somebody else or elsewhere a copy of it. */
static char *xml_lent(const struct plan *p, const struct domain_host *h, const char *name,
                      const char *path)
{
    return h->other || plan_is_far(p) ? domain_copy_path(p, name) : str_dup(path);
}

/* A guest of ours: its kernel is put into its memory, and no firmware looks for anything. */
static void xml_boot_directly(struct buf *b, const struct plan *p, const struct domain_host *h)
{
    autofree char *line = guest_kernel_line(p);
    autofree char *kernel = xml_lent(p, h, "kernel", p->machine.kernel);
    autofree char *initramfs = xml_lent(p, h, "initramfs", p->machine.initramfs);
    xml_line(b, "    <kernel>", kernel, "</kernel>");
    xml_line(b, "    <initrd>", initramfs, "</initrd>");
    xml_line(b, "    <cmdline>", line, "</cmdline>");
}

/* QEMU has these behind KVM alone. */
static bool xml_has_hyperv(const struct plan *p)
{
    return p->machine.windows && p->machine.accel == PLAN_ACCEL_KVM;
}

/* What Windows knows a machine of Hyper-V by: QEMU's docs/system/i386/hyperv. */
static void xml_hyperv(struct buf *b)
{
    static const char *const hints[] = {
        "relaxed state='on'", "vapic state='on'",   "spinlocks state='on' retries='8191'",
        "vpindex state='on'", "runtime state='on'", "synic state='on'",
        "stimer state='on'",  "reset state='on'",   "frequencies state='on'",
    };
    xml_puts(b, "    <hyperv mode='custom'>");
    for (size_t i = 0; i < ARRAY_SIZE(hints); i++)
        buf_printf(b, "      <%s/>\n", hints[i]);
    xml_puts(b, "    </hyperv>");
}

/* A CD comes first as long as the disk boots nothing; where a system is installed, always. */
static void xml_boot(struct buf *b, const struct plan *p, const struct domain_host *h)
{
    bool chosen = plan_is_far(p) && !str_equal(p->machine.firmware, "bios");
    xml_puts(b, chosen ? "  <os firmware='efi'>" : "  <os>");
    xml_line(b, "    <type arch='x86_64' machine='", p->machine.type, "'>hvm</type>");
    xml_firmware(b, p);
    if (plan_boots_image(p))
        xml_boot_directly(b, p, h);
    if (p->machine.install)
        xml_puts(b, "    <boot dev='cdrom'/>");
    if (!plan_boots_image(p))
        xml_puts(b, "    <boot dev='hd'/>");
    if (p->machine.cdroms && !p->machine.install)
        xml_puts(b, "    <boot dev='cdrom'/>");
    xml_puts(b, "  </os>");
    xml_puts(b, "  <features>");
    xml_puts(b, "    <acpi/>");
    xml_puts(b, "    <apic/>");
    if (xml_has_hyperv(p))
        xml_hyperv(b);
    if (str_equal(p->machine.firmware, "secure-boot"))
        xml_puts(b, "    <smm state='on'/>");
    xml_puts(b, "  </features>");
}

static void xml_clock(struct buf *b, const struct plan *p)
{
    if (!p->machine.windows) {
        xml_puts(b, "  <clock offset='utc'/>");
        return;
    }
    xml_puts(b, "  <clock offset='localtime'>");
    xml_puts(b, "    <timer name='rtc' tickpolicy='catchup'/>");
    xml_puts(b, "    <timer name='pit' tickpolicy='delay'/>");
    xml_puts(b, "    <timer name='hpet' present='no'/>");
    if (xml_has_hyperv(p))
        xml_puts(b, "    <timer name='hypervclock' present='yes'/>");
    xml_puts(b, "  </clock>");
}

static void xml_cpu(struct buf *b, const struct plan *p)
{
    const char *model = p->machine.cpu_model;
    if (p->machine.accel == PLAN_ACCEL_KVM && (!model || str_equal(model, "host")))
        xml_puts(b, "  <cpu mode='host-passthrough' migratable='on'>");
    else if (str_equal(model, "max") || str_equal(model, "host"))
        xml_puts(b, "  <cpu mode='maximum'>");
    else
        xml_line(b, "  <cpu mode='custom' match='exact'><model fallback='forbid'>",
                 model ? model : "qemu64", "</model>");
    if (p->machine.accel == PLAN_ACCEL_TCG && !model)
        xml_puts(b, "    <feature policy='require' name='arat'/>");
    if (p->machine.nested != PLAN_NESTED_YES)
        xml_puts(b, "    <feature policy='disable' name='vmx'/>\n"
                    "    <feature policy='disable' name='svm'/>");
    xml_puts(b, "  </cpu>");
    xml_clock(b, p);
    xml_puts(b, "  <on_poweroff>destroy</on_poweroff>");
    xml_puts(b, plan_boots_image(p) || p->machine.install ? "  <on_reboot>destroy</on_reboot>"
                                                          : "  <on_reboot>restart</on_reboot>");
    xml_puts(b, "  <on_crash>destroy</on_crash>");
}

/* --- devices ---------------------------------------------------------------------------------- */

static struct domain_disk_name xml_disk_name(const struct plan *p, bool cd, size_t number)
{
    struct domain_disk_name name;
    snprintf(name.text, sizeof(name.text), "%s%c",
             xml_old(p) ? "hd"
             : cd       ? "sd"
                        : "vd",
             (char)('a' + number));
    return name;
}

struct domain_disk_name domain_disk_name(const struct plan *p, size_t disk)
{
    return xml_disk_name(p, false, disk);
}

/* Nobody changes the owner of what is ours or a person's: where QEMU is another, we have done it.
 */
static void xml_source(struct buf *b, const char *path, bool keeps_owner)
{
    xml_line(b, "      <source file='", path,
             keeps_owner ? "'><seclabel model='dac' relabel='no'/></source>" : "'/>");
}

static void xml_disk(struct buf *b, const struct plan *p, const struct domain_host *h,
                     const char *path, const char *device, size_t number)
{
    bool cd = str_equal(device, "cdrom");
    const char *bus = xml_old(p) ? "ide" : cd ? "sata" : "virtio";
    buf_printf(b, "    <disk type='file' device='%s'>\n", device);
    if (cd)
        xml_puts(b, "      <driver name='qemu' type='raw'/>");
    else
        xml_puts(b, "      <driver name='qemu' type='qcow2' discard='unmap'/>");
    xml_source(b, path, h->other);
    struct domain_disk_name target = xml_disk_name(p, cd, number);
    buf_printf(b, "      <target dev='%s' bus='%s'/>\n", target.text, bus);
    if (cd)
        xml_puts(b, "      <readonly/>");
    xml_puts(b, "    </disk>");
}

/*
 * A session's daemon changes no owners, and does not know the word. What lies on another host was
 * brought there for this machine alone.
 */
static bool xml_has_owners(const struct plan *p)
{
    if (plan_is_far(p))
        return false;
    autofree char *path = str_ndup(p->machine.uri, strcspn(p->machine.uri, "?"));
    return str_ends(path, "/system");
}

/* Many machines share it: its owner stays what it is. */
static void xml_root(struct buf *b, const struct plan *p, const struct domain_host *h)
{
    autofree char *path = xml_lent(p, h, "root", p->machine.root);
    xml_puts(b, "    <disk type='file' device='disk'>");
    xml_puts(b, "      <driver name='qemu' type='raw'/>");
    xml_source(b, path, xml_has_owners(p));
    xml_puts(b, "      <target dev='vda' bus='virtio'/>");
    xml_puts(b, "      <readonly/>");
    xml_puts(b, "      <serial>" DOMAIN_DISK_ROOT "</serial>");
    xml_puts(b, "    </disk>");
}

static void xml_disks(struct buf *b, const struct plan *p, const struct domain_host *h)
{
    const struct plan_machine *m = &p->machine;
    if (plan_boots_image(p))
        xml_root(b, p, h);
    size_t disks = strv_length(m->disks);
    for (size_t i = 0; i < disks; i++) {
        autofree char *path = domain_disk_path(p, i);
        xml_disk(b, p, h, path, "disk", i);
    }
    for (size_t i = 0; m->cdroms && m->cdroms[i]; i++) {
        autofree char *path = plan_is_far(p) ? domain_cd_path(p, i) : str_dup(m->cdroms[i]);
        xml_disk(b, p, h, path, "cdrom", xml_old(p) ? disks + i : i);
    }
}

/* A socket and no pty: QEMU looks but once a second whether somebody has opened that, and what is
 * said until then is lost. */
static void xml_consoles(struct buf *b, const struct plan *p)
{
    autofree char *console = domain_console_path(p), *agent = domain_agent_path(p);
    bool far = plan_is_far(p); /* libvirt lends a console that is a pty alone */
    xml_puts(b, far ? "    <serial type='pty'>" : "    <serial type='unix'>");
    if (!far)
        xml_line(b, "      <source mode='bind' path='", console, "'/>");
    xml_puts(b, "      <target type='isa-serial' port='0'/>");
    xml_puts(b, "    </serial>");
    xml_puts(b, "    <channel type='unix'>");
    if (plan_boots_image(p)) {
        if (!far)
            xml_line(b, "      <source mode='bind' path='", agent, "'/>");
        xml_puts(b, "      <target type='virtio' name='" AGENT_PORT_NAME "'/>");
    } else {
        xml_puts(b, "      <target type='virtio' name='org.qemu.guest_agent.0'/>");
    }
    xml_puts(b, "    </channel>");
}

/* On another host the socket is where its libvirt likes: in a folder nobody else can enter. */
static void xml_graphics(struct buf *b, const struct plan *p, const struct domain_host *h)
{
    autofree char *screen = h->other ? domain_screen_away(p) : domain_screen_path(p);
    if (plan_is_far(p))
        xml_puts(b, "    <graphics type='vnc'><listen type='socket'/></graphics>");
    else
        xml_line(b, "    <graphics type='vnc' socket='", screen, "'/>");
}

static void xml_screen(struct buf *b, const struct plan *p, const struct domain_host *h)
{
    if (p->machine.window) {
        xml_puts(b, "    <input type='tablet' bus='usb'/>");
        xml_graphics(b, p, h);
    }
    if (str_equal(p->machine.gpu, "virtio"))
        xml_puts(b, "    <video><model type='virtio'/></video>");
    else if (p->machine.window)
        xml_puts(b, "    <video><model type='vga'/></video>");
    else
        xml_puts(b, "    <video><model type='none'/></video>");
}

static bool xml_has_usb(const struct plan *p)
{
    for (size_t i = 0; p->machine.devices && p->machine.devices[i]; i++)
        if (str_starts(p->machine.devices[i], "usb:"))
            return true;
    return p->machine.window;
}

/* libvirt takes them from the host's drivers and gives them back. */
static void xml_handed_over(struct buf *b, const struct plan *p)
{
    for (size_t i = 0; p->machine.devices && p->machine.devices[i]; i++) {
        const char *device = p->machine.devices[i];
        struct pci_place at;
        struct error ignored;
        unsigned vendor, product;
        if (str_starts(device, "pci:") && pci_place_read(device + 4, &at, &ignored) == 0) {
            xml_puts(b, "    <hostdev mode='subsystem' type='pci' managed='yes'>");
            buf_printf(b,
                       "      <source><address domain='0x%04x' bus='0x%02x' slot='0x%02x' "
                       "function='0x%x'/></source>\n",
                       at.domain, at.bus, at.slot, at.function);
            xml_puts(b, "    </hostdev>");
        } else if (str_starts(device, "usb:") &&
                   usb_kind_read(device + 4, &vendor, &product, &ignored) == 0) {
            xml_puts(b, "    <hostdev mode='subsystem' type='usb' managed='yes'>");
            buf_printf(b, "      <source><vendor id='0x%04x'/><product id='0x%04x'/></source>\n",
                       vendor, product);
            xml_puts(b, "    </hostdev>");
        }
    }
}

static void xml_network(struct buf *b, const struct plan *p)
{
    if (p->network != PLAN_NETWORK_HOST)
        return;
    const char *card = p->machine.card;
    bool bridge = card && str_starts(card, "bridge:");
    xml_puts(b, bridge ? "    <interface type='bridge'>" : "    <interface type='user'>");
    if (bridge)
        xml_line(b, "      <source bridge='", card + strlen("bridge:"), "'/>");
    else if (str_equal(card, "passt"))
        xml_puts(b, "      <backend type='passt'/>");
    buf_printf(b, "      <mac address='52:54:00:%.2s:%.2s:%.2s'/>\n", p->id, p->id + 2, p->id + 4);
    buf_printf(b, "      <model type='%s'/>\n", xml_old(p) ? "e1000" : "virtio");
    xml_puts(b, "    </interface>");
}

static void xml_devices(struct buf *b, const struct plan *p, const struct domain_host *h)
{
    xml_puts(b, "  <devices>");
    xml_disks(b, p, h);
    buf_printf(b, "    <controller type='usb' model='%s'/>\n",
               !xml_has_usb(p) ? "none"
               : xml_old(p)    ? "piix3-uhci"
                               : "qemu-xhci");
    xml_network(b, p);
    xml_consoles(b, p);
    if (p->machine.tpm)
        xml_puts(b, "    <tpm model='tpm-crb'><backend type='emulator' version='2.0'/></tpm>");
    xml_screen(b, p, h);
    xml_handed_over(b, p);
    if (plan_boots_image(p)) { /* it has no use for more */
        xml_puts(b, "    <memballoon model='none'/>");
    } else {
        xml_puts(b, "    <watchdog model='i6300esb' action='reset'/>");
        xml_puts(b, "    <memballoon model='virtio'><stats period='5'/></memballoon>");
        xml_puts(b, "    <rng model='virtio'><backend model='random'>/dev/urandom</backend></rng>");
    }
    xml_puts(b, "  </devices>");
}

char *domain_xml(const struct plan *p, const struct domain_host *h)
{
    struct buf b = {0};
    buf_printf(&b, "<domain type='%s'>\n", p->machine.accel == PLAN_ACCEL_KVM ? "kvm" : "qemu");
    xml_identity(&b, p);
    xml_size(&b, p);
    xml_boot(&b, p, h);
    xml_cpu(&b, p);
    xml_devices(&b, p, h);
    xml_puts(&b, "</domain>");
    return buf_take(&b);
}
