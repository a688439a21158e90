#- Runs inside the router's netwatch when the hub stops answering: it has no policy "sensitive" and
#- is stored as a string, so it is quoted a second time. Netwatch starts it once per change to
#- "down", hence the loop; it ends by itself as soon as the hub answers or the entry is removed.
#- A live tunnel is never touched, even where the hub answers no ping.
{
  :local iwTry 0
  :while ([:tostr [/tool netwatch get [find where comment={{tag}}] status]] = "down") do={
    :foreach iwI in=[/interface wireguard peers find where comment={{tag}} and disabled=no] do={
      :local iwDark true
      :local iwAge [/interface wireguard peers get $iwI last-handshake]
      :if ([:typeof $iwAge] = "time") do={
        :if ($iwAge < 3m) do={ :set iwDark false }
      }
      :if ($iwDark) do={
        :log warning "iwas-wg: the tunnel is dark, calling the hub anew"
        /interface wireguard peers set $iwI disabled=yes
        :if ($iwTry > 0) do={
          :foreach iwJ in=[/interface wireguard find where comment={{tag}}] do={
            :local iwNewPort ([/interface wireguard get $iwJ listen-port] + 1)
            :if ($iwNewPort > 65000) do={ :set iwNewPort 51821 }
            /interface wireguard set $iwJ listen-port=$iwNewPort
          }
        }
        /interface wireguard peers set $iwI endpoint-address={{endpoint}} disabled=no
        :set iwTry ($iwTry + 1)
      } else={
        :set iwTry 0
      }
    }
    :delay 1m
  }
}
