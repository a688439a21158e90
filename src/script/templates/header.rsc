# iwas-wg {{version}}: {{kind}} script of location {{name}}, revision {{revision}}
{{about}}
# For RouterOS 7.1 and later.
#if install
# Every object it makes carries the comment {{tag}}; it touches no other.
#end
#if only_ours
# It touches only what carries the comment {{tag}}.
#end
#if check
# It only looks and reports; nothing is changed.
#end
#if private_key
# CONTAINS A PRIVATE KEY: whoever reads this file can join the VPN as this router.
#end
#if psk_alone
# CONTAINS A PRESHARED KEY: keep it as secret as a password.
#end
#if rotate
#if !made_here
# The hub has to know the new key beside the old one first: import this only after
# "iwas-wg peer rotate" has said so. Without an answer to the new key the old one comes back.
#end
#if first_step
# Step 1 of 2: this router makes its next key beside the tunnel that runs, and prints the command
# for the hub. Step 2: import the script which that command prints; it moves the key over.
#end
#if next_known
# Step 2 of 2: takes over the key that step 1 made, which the hub knows now beside the old one.
# Without an answer to the new key the old one comes back.
#end
#end
# Use:  upload it as {{file}}, then
#         /import file-name={{file}}
#       RouterOS 7.16 and later can look first, without changing anything:
#         /import file-name={{file}} verbose=yes dry-run
#       The last line it prints says how it went: "iwas-wg: OK" (the hub answers), or what is wrong.
#if secret
# Then: /file remove {{file}}   and   /console clear-history   (both hold the key)
#end
#if install
# Undo: on the hub  iwas-wg script render {{name}} --kind remove  and import that here.
#end
:if ([:pick [/system resource get version] 0 2] = "6.") do={ :error "iwas-wg: RouterOS 6 has no WireGuard, upgrade this router to 7.1 or later first" }
