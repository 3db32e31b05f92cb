"""Install Fieldfare on a device from a kit or from a clone, and remove it.

The kit's own wheel is the installer: Python reads it as a zip, before anything is installed. So this folder needs the
standard library only, and of `edge` only what needs no more: errors, printable, storage, processes.run, bundle.files
and bundle.place.
"""
