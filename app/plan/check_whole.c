/* What stands in the way of a whole machine. */
#include "app/plan/check_inner.h"
#include "app/plan/names.h"

/* Devices of the host: only where nothing else is in their reach. */
static void check_whole_handed_over(struct check *c)
{
    const struct plan_machine *m = &c->p->machine;
    bool gpu = str_equal(m->gpu, "passthrough"), pci = gpu;
    for (size_t i = 0; m->devices && m->devices[i]; i++)
        pci = pci || str_starts(m->devices[i], "pci:");
    if (!gpu && !m->devices)
        return;
    const char *what = gpu ? "machine.gpu = passthrough" : "machine.device";
    if (pci && !m->iommu) {
        check_refuse(c,
                     "turn on VT-d or AMD-Vi in the firmware and intel_iommu=on on the kernel's "
                     "command line",
                     "%s: this host has no IOMMU groups: a device handed over could write into all "
                     "of its memory",
                     what);
        return;
    }
    if (pci && m->uri && str_ends(m->uri, "/session"))
        check_refuse(c, "as root, or --set machine.uri=qemu:///system",
                     "%s: a session's libvirt may not take PCI devices from this host", what);
    if (pci && m->accel == PLAN_ACCEL_TCG)
        check_refuse(c, "--accel kvm, on a host that has it",
                     "%s: an emulated machine is no boundary for it", what);
    for (size_t i = 0; m->no_devices && m->no_devices[i]; i++)
        check_refuse(c, "take it out, or name what belongs to it", "machine.device: %s",
                     m->no_devices[i]);
    for (size_t i = 0; m->device_notes && m->device_notes[i]; i++)
        check_warn(c, "take it out of machine.device", "%s", m->device_notes[i]);
}

/* What a whole machine could do and this version cannot express, each by its name. */
static void check_whole_devices(struct check *c)
{
    const struct plan_machine *m = &c->p->machine;
    if (str_equal(m->type, "microvm") || str_equal(m->type, "virt"))
        check_refuse(c, "--set machine.type=q35, or --boundary microvm",
                     "machine.type = %s: the vm boundary has q35 and pc", m->type);
    if (!str_equal(m->firmware, "bios") && !m->loader && !plan_is_far(c->p))
        check_refuse(c, "apt install ovmf, dnf install edk2-ovmf",
                     "machine.firmware = %s: no UEFI firmware is here", m->firmware);
    if (str_equal(m->firmware, "secure-boot") && !str_equal(m->type, "q35"))
        check_refuse(c, "--set machine.type=q35", "machine.firmware = secure-boot needs q35");
    if (str_equal(m->type, "pc") && strv_length(m->disks) + strv_length(m->cdroms) > 4)
        check_refuse(c, "--set machine.type=q35", "machine.type = pc has room for four disks");
    if (!plan_is_far(c->p))
        check_whole_handed_over(c);
}

/* IFNAMSIZ of if_nametoindex(3) bounds the name. */
static void check_whole_card(struct check *c)
{
    const char *card = c->p->machine.card, *name = card;
    if (!card || str_equal(card, "passt"))
        return;
    if (str_starts(card, "bridge:"))
        name += strlen("bridge:");
    if (name == card || !*name || strlen(name) > 15 || strpbrk(name, "/ \t:"))
        check_refuse(c, "user, passt or bridge:NAME", "machine.card = %s: no such thing", card);
}

static void check_whole_install(struct check *c)
{
    const struct plan_machine *m = &c->p->machine;
    if (!plan_boots_disk(c->p))
        check_refuse(c, "--image disk:PATH", "machine.install = yes: onto which disk is not said");
    if (!m->cdroms)
        check_refuse(c, "--set machine.cdrom=PATH",
                     "machine.install = yes: there is no CD to install from");
    if (plan_is_far(c->p))
        check_refuse(c, "a libvirt of this host",
                     "machine.install = yes: nothing comes back from another host");
}

/* Its socket is made there by libvirt, in a folder of whoever runs it. */
static void check_whole_far_window(struct check *c)
{
    const char *uri = c->p->machine.uri;
    autofree char *path = str_ndup(uri, strcspn(uri, "?"));
    if (!plan_uri_is_by_ssh(uri))
        check_refuse(c, "qemu+ssh://, or --set machine.display=none and its serial console",
                     "machine.display = window: a screen of another host's comes here through ssh "
                     "alone");
    else if (str_ends(path, "/system") && !str_starts(path, "qemu+ssh://root@"))
        check_warn(
            c, "qemu+ssh://root@HOST/system, or /session",
            "machine.display = window: at %s a screen is root's and libvirt's alone: whoever "
            "is not root there cannot view it",
            path);
}

/* On another host: its parts are brought there, and nothing of it comes back. */
static void check_whole_far(struct check *c)
{
    const struct plan *p = c->p;
    const struct plan_machine *m = &p->machine;
    if (str_starts(m->uri, "qemu+tcp:"))
        check_refuse(c, "qemu+ssh:// or qemu+tls://",
                     "machine.uri = %s: nothing on that way is encrypted, its console neither",
                     m->uri);
    if (plan_uri_is_unverified(m->uri))
        check_warn(
            c, "machine.uri without no_verify, known_hosts_verify",
            "machine.uri: nobody verifies which host answers there: whoever is in between can "
            "be it, with all the machine is made from");
    if (m->devices || str_equal(m->gpu, "passthrough"))
        check_refuse(c, "take it out",
                     "machine.%s: what belongs to a device of another host is not seen from here",
                     m->devices ? "device" : "gpu = passthrough");
    if (m->window)
        check_whole_far_window(c);
    if (p->snapshot)
        check_refuse(c, "a libvirt of this host",
                     "machine.uri = %s: a snapshot lies on this host, and is not brought there",
                     m->uri);
    if (p->keep != PLAN_KEEP_NEVER)
        check_warn(c, "--keep never",
                   "lifecycle.keep: of a machine on another host its log and report are kept; what "
                   "it wrote is removed there with its disks");
}

/* An image of the store is booted as a microVM boots it: of the machine it uses little. */
static void check_whole_image(struct check *c)
{
    static const struct {
        enum key_id key;
        const char *why;
    } disks_only[] = {
        {KEY_MACHINE_DISK,      "nobody in it would mount them"                             },
        {KEY_MACHINE_CDROM,     "nobody in it would mount it"                               },
        {KEY_MACHINE_DISK_SIZE, "what it writes is in its memory (resources.disk bounds it)"},
        {KEY_MACHINE_FIRMWARE,  "its kernel is booted directly, and nothing verifies that"  },
        {KEY_MACHINE_DISPLAY,   "it has no screen, its console is a terminal"               },
        {KEY_MACHINE_TPM,       "nobody in it would use one"                                },
    };
    const struct plan *p = c->p;
    const struct plan_machine *m = &p->machine;
    const bool said[] = {m->disks != NULL, m->cdroms != NULL,
                         m->disk_size > 0, !str_equal(m->firmware, "bios"),
                         m->window,        m->tpm};
    check_machine_kernel(c);
    check_machine_files(c);
    for (size_t i = 0; i < ARRAY_SIZE(disks_only); i++) {
        const struct key *k = &keys[disks_only[i].key];
        if (said[i])
            check_refuse(c, "take it out, or --image disk:PATH",
                         "%s.%s is for a machine that boots its own disk: with an image of the "
                         "store %s",
                         k->section, k->name, disks_only[i].why);
    }
    if (m->scratch)
        check_refuse(c, "--set machine.scratch=memory, or --boundary microvm",
                     "machine.scratch = disk: what an image changes in a whole machine is in its "
                     "memory");
    if (p->network != PLAN_NETWORK_NONE)
        check_refuse(c, "--network none, or --image disk:PATH",
                     "network.mode = %s: a guest made from an image has no network yet",
                     plan_network_names[p->network]);
}

/* --- by QEMU alone -----------------------------------------------------------------------------
 */

/* What libvirt does and this version does not tell QEMU by itself, each by its name. */
static void check_alone_keys(struct check *c)
{
    const struct plan *p = c->p;
    const struct plan_machine *m = &p->machine;
    bool disk = plan_boots_disk(p);
    const struct {
        bool said;
        enum key_id key;
        const char *what;
    } rows[] = {
        {!str_equal(m->firmware,      "bios"), KEY_MACHINE_FIRMWARE,                 "UEFI is"},
        {strv_length(m->disks) > disk,                           KEY_MACHINE_DISK,       "further disks are"},
        {m->cdroms != NULL,                           KEY_MACHINE_CDROM,                  "CDs are"          },
        {m->install,                           KEY_MACHINE_INSTALL,                         "installing from a CD is"     },
        {m->windows,                           KEY_MACHINE_GUEST,                         "what Windows wants to be told is"            },
        {m->card != NULL,                           KEY_MACHINE_CARD,                    "other network cards are" },
        {!str_equal(m->gpu,                           "none"),                  KEY_MACHINE_GPU,                    "graphics processors are"},
        {m->devices != NULL,  KEY_MACHINE_DEVICE,         "devices of this host are"        },
        {m->tpm, KEY_MACHINE_TPM,"a TPM is"                      },
        {m->window,                 KEY_MACHINE_DISPLAY,                         "a screen is"                              },
        {!disk && m->disk_size > 0,              KEY_MACHINE_DISK_SIZE,"the size of a disk is"},
        {p->origins[KEY_MACHINE_URI] != NULL,    KEY_MACHINE_URI,               "another host, or a daemon, is"                                      },
    };
    for (size_t i = 0; i < ARRAY_SIZE(rows); i++) {
        const struct key *k = &keys[rows[i].key];
        if (rows[i].said)
            check_refuse(c, "--runtime libvirt, or take it out",
                         "%s.%s: %s libvirt's to give, QEMU by itself has %s", k->section, k->name,
                         rows[i].what, disk ? "one disk, BIOS and a serial line" : "an image");
    }
}

static void check_alone_disk(struct check *c)
{
    const struct plan *p = c->p;
    const struct plan_machine *m = &p->machine;
    if (m->program && (!m->blank || !m->disk_format))
        check_refuse(c, NULL, "%s", m->no_blank ? m->no_blank : "there is no disk to boot");
    if (!str_equal(p->argv[0], "boot"))
        check_refuse(c, "leave the command out, or --image NAME",
                     "a disk boots its own system: there is nobody in it to be given a command");
    if (p->origins[KEY_FILES_COPY_IN] || p->origins[KEY_FILES_MOUNT])
        check_refuse(c, "take it out, or --image NAME",
                     "files.%s: there is nobody in a disk's own system to put it there",
                     p->origins[KEY_FILES_COPY_IN] ? "copy-in" : "mount");
    if (m->memory < 16ull << 20)
        check_refuse(c, "--memory 64M", "resources.memory: a whole machine needs at least 16M");
    if (m->warm)
        check_refuse(c, "--set machine.warm=no, and cofferdam clone of one that has booted",
                     "machine.warm = yes: a disk's own system could not be told what it is for");
    if (p->limits.disk)
        check_add(c, p->limits.best_effort ? PLAN_WARNS : PLAN_REFUSES,
                  "--set resources.disk=, or --set resources.limits=best-effort",
                  "resources.disk: what a whole machine writes is bounded by the size of its disk "
                  "alone");
    if (p->restart != PLAN_RESTART_NO)
        check_refuse(c, "--set lifecycle.restart=no",
                     "lifecycle.restart: a machine that boots its own disk restarts itself");
    if (p->snapshot_kind == PLAN_SNAPSHOT_MEMORY)
        check_warn(c, NULL, PLAN_SAME_BUT_STIRRED);
}

static void check_alone(struct check *c)
{
    const struct plan *p = c->p;
    if (str_equal(p->machine.type, "microvm") || str_equal(p->machine.type, "virt"))
        check_refuse(c, "--set machine.type=q35, or --boundary microvm",
                     "machine.type = %s: the vm boundary has q35 and pc", p->machine.type);
    check_alone_keys(c);
    if (plan_boots_disk(p))
        check_alone_disk(c);
    check_machine(c);
}

void check_whole(struct check *c)
{
    const struct plan *p = c->p;
    const struct plan_machine *m = &p->machine;
    if (plan_is_by_qemu_alone(p)) {
        check_alone(c);
        return;
    }
    check_machine_accel(c);
    check_whole_devices(c);
    if (plan_is_far(p))
        check_whole_far(c);
    check_whole_card(c);
    if (m->install)
        check_whole_install(c);
    if (!m->uri)
        check_refuse(c, "apt install libvirt-daemon libvirt-clients",
                     "the vm boundary needs libvirt, which nobody looked for");
    if (plan_boots_image(p))
        check_whole_image(c);
    else if (plan_boots_disk(p) && !str_equal(p->argv[0], "boot"))
        check_refuse(c, "leave the command out",
                     "a disk boots its own system: there is nobody in it to be given a command");
    if (plan_boots_disk(p) && m->memory < 16ull << 20)
        check_refuse(c, "--memory 64M", "resources.memory: a whole machine needs at least 16M");
    if (m->warm)
        check_refuse(c, "--set machine.warm=no", "machine.warm = yes is for microVMs");
    if (p->network != PLAN_NETWORK_NONE && p->network != PLAN_NETWORK_HOST)
        check_refuse(c, "--network none, or --network host",
                     "network.mode = %s: a whole machine has none, or the host's through a "
                     "translator in user space",
                     plan_network_names[p->network]);
    if (p->limits.cpu_milli % 1000)
        check_refuse(c, "--cpus with a whole number",
                     "resources.cpus: a whole machine has whole processors");
    if (p->limits.disk && !plan_boots_image(p))
        check_add(c, p->limits.best_effort ? PLAN_WARNS : PLAN_REFUSES,
                  "--set resources.disk=, or --set resources.limits=best-effort",
                  "resources.disk: what a whole machine writes is bounded by the size of its disks "
                  "alone");
    if (p->limits.io_weight)
        check_refuse(
            c, "--set resources.io-weight=", "resources.io-weight is not for the vm boundary");
    if (p->restart != PLAN_RESTART_NO)
        check_refuse(c, "--set lifecycle.restart=no",
                     "lifecycle.restart is not for the vm boundary yet");
    if (p->snapshot_on_exit)
        check_refuse(c, "--set lifecycle.snapshot-on-exit=no",
                     "lifecycle.snapshot-on-exit is not for the vm boundary yet");
}
