/** How much of the machine a service may reach: what Node.js and V8 need and no more. Pure. */

export interface SandboxPlan {
  /** A service of the user's own manager, which may not change much. */
  readonly userUnit: boolean;
  /** The supervisor is root and gives its instances another user. */
  readonly changesUser: boolean;
  /** The supervisor binds a port below 1024 itself. */
  readonly bindsLowPort: boolean;
}

/** V8 writes machine code at run time, so MemoryDenyWriteExecute= stays off; sysfs and procfs tell it how much CPU and memory it has. */
export function sandboxLines(plan: SandboxPlan): string[] {
  if (plan.userUnit) return ["NoNewPrivileges=yes", ...COMMON];
  const capabilities = capabilitiesOf(plan).join(" ");
  return [
    ...(plan.changesUser
      ? [`CapabilityBoundingSet=${capabilities}`]
      : [
          "DynamicUser=yes",
          "NoNewPrivileges=yes",
          `CapabilityBoundingSet=${capabilities}`,
          `AmbientCapabilities=${capabilities}`,
        ]),
    "ProtectSystem=strict",
    "ProtectHome=read-only",
    "PrivateTmp=yes",
    "PrivateDevices=yes",
    "ProtectClock=yes",
    "ProtectControlGroups=yes",
    "ProtectHostname=yes",
    "ProtectKernelLogs=yes",
    "ProtectKernelModules=yes",
    "ProtectKernelTunables=yes",
    // Whose processes are hidden cannot be watched over either.
    ...(plan.changesUser ? [] : ["ProtectProc=invisible", "RemoveIPC=yes"]),
    // In a user namespace of its own a service has no capability that counts outside of it.
    ...(plan.changesUser || plan.bindsLowPort ? [] : ["PrivateUsers=yes"]),
    ...COMMON,
    ...(plan.changesUser ? [] : ["SystemCallFilter=~@privileged @resources"]),
    "UMask=0027",
  ];
}

const COMMON = [
  "LockPersonality=yes",
  "RestrictNamespaces=yes",
  "RestrictRealtime=yes",
  "RestrictSUIDSGID=yes",
  "RestrictAddressFamilies=AF_UNIX AF_INET AF_INET6 AF_NETLINK",
  "SystemCallArchitectures=native",
  "SystemCallErrorNumber=EPERM",
  "SystemCallFilter=@system-service",
];

function capabilitiesOf({ changesUser, bindsLowPort }: SandboxPlan): string[] {
  const low = bindsLowPort ? ["CAP_NET_BIND_SERVICE"] : [];
  // To become another user, to give it a Unix socket, and to end its processes.
  return changesUser ? ["CAP_SETUID", "CAP_SETGID", "CAP_CHOWN", "CAP_KILL", ...low] : low;
}
