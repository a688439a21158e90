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
# Use:  upload it as {{file}}, then
#         /import file-name={{file}}
#       RouterOS 7.16 and later can look first, without changing anything:
#         /import file-name={{file}} verbose=yes dry-run
#       The last line it prints begins with "iwas-wg:" and says how it went.
#if private_key
# Then: /file remove {{file}}   and   /console clear-history   (both hold the key)
#end
#if install
# Undo: on the hub "iwas-wg script render NAME --kind remove", imported here.
#end
:if ([:pick [/system resource get version] 0 2] = "6.") do={ :error "iwas-wg: RouterOS 6 has no WireGuard, upgrade this router to 7.1 or later first" }
