#!/bin/sh
# Plug in a USB device that has the Coral's name and is nothing more: a gadget behind the kernel's own dummy controller.
set -e
modprobe dummy_hcd
modprobe libcomposite
modprobe usb_f_ss_lb
mountpoint -q /sys/kernel/config || mount -t configfs configfs /sys/kernel/config
gadget=/sys/kernel/config/usb_gadget/coral
mkdir -p $gadget/configs/c.1 $gadget/functions/SourceSink.0
echo 0x18d1 >$gadget/idVendor
echo 0x9302 >$gadget/idProduct
ln -s $gadget/functions/SourceSink.0 $gadget/configs/c.1/
ls /sys/class/udc | head -1 >$gadget/UDC
for _ in $(seq 100); do
    for device in /sys/bus/usb/devices/*; do
        [ "$(cat $device/idVendor 2>/dev/null)" = 18d1 ] || continue
        udevadm settle
        printf '/dev/bus/usb/%03d/%03d\n' "$(cat $device/busnum)" "$(cat $device/devnum)"
        exit
    done
    sleep 0.1
done
echo "the stand-in for a Coral is not there" >&2
exit 1
