"""What the tasks on PASCAL VOC 2007 share: reading its devkit, and figures with their inputs per image."""
