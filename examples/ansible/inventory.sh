#!/bin/sh
# The fleet as Ansible's inventory: ansible-playbook -i inventory.sh routers.yml
# IWAS_WG_ROOT and the other variables of iwas-wg name another hub than this machine's; for a hub
# elsewhere put its ssh in front: exec ssh hub.example.com iwas-wg inventory "$@"
exec "${IWAS_WG:-iwas-wg}" inventory "$@"
