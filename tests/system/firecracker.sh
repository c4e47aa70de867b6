#!/bin/bash
# Firecracker: driven through its API, in our jail, with its guest's agent over vsock. Where there is
# none a stand-in serves the API as published (tests/tools/fake-firecracker.c) with a made-up guest.
# shellcheck disable=SC2034 # all of these are read by vmm-api.sh
{
    VMM=firecracker WORDS='--api-sock /run/api.sock' OTHER=1.13.0
    REQUESTS=(/version /metrics /machine-config /boot-source /drives/root /vsock /entropy /balloon /actions)
    FAULT='Start microvm error: Internal error while starting microVM: made up (400)'
    OWN='test_every_version_that_is_known test_the_choice_and_its_reason'
}

test_every_version_that_is_known() {
    local version
    for version in 1.7.0 1.8.0 1.10.1 1.12.0 1.13.2 1.14.2 1.16.1; do
        fake "version=$version"
        capture fc -- echo "$version"
        if [ "$version" = 1.7.0 ]; then
            expect_status 125
            expect_err_has "CONFIG_VIRTIO_MMIO_CMDLINE_DEVICES"
        else
            expect_status 0
            expect_out "$version"
        fi
    done
    for version in 1.6.0 1.17.0 2.0.0; do
        fake "version=$version"
        capture fc -- true
        expect_status 125
        expect_err_has "known here are 1.7 to 1.16"
    done
}

test_the_choice_and_its_reason() {
    need_machine cat
    capture cofferdam plan --boundary microvm --image small --json -- true
    expect_out_has '"choice"'
    if ! command -v firecracker >which; then
        expect_out_has "firecracker is not installed"
        expect_out_has '"runtime": "qemu"'
    fi
    capture cofferdam plan --boundary microvm --runtime firecracker --image small -- true
    command -v firecracker >which || expect_out_has "firecracker, which is not here"
}

. "$(dirname "$0")/vmm-api.sh"
