#- Rules of these files: every variable begins with "iw" (one named like a property would make
#- "find where" match every row), placeholders stand outside of quotes (they bring their own), and
#- only parameters that RouterOS 7.1 has. What is as wanted is not set again: live sessions survive.
#include install-look
#include install-set
#include firewall-look
#include firewall-set
#include install-watchdog
  # 3. What would keep the tunnel or the management from working. None of it is fatal or changed.
#include warn-clock
#include warn-access
#include install-session
#include install-report
#include verdict
