using WebhookService.Domain.Devices;
using WebhookService.Domain.Sessions;

namespace WebhookService.Domain.History;

/// <summary>One connection as the ledger has it: what <see cref="Session"/> concluded, without what only the rules of presence need.</summary>
/// <param name="End">Null while it lasts.</param>
/// <param name="Reason">Null while it lasts.</param>
/// <param name="AliveUntil">As in <see cref="SessionEnd.AliveUntil"/>.</param>
/// <param name="IsExpired">Its end is only that nothing was heard of it any more (<see cref="EndedBy.Expired"/>).</param>
/// <param name="Number">Names the session to whoever asks.</param>
public readonly record struct LedgerSession(DateTimeOffset Start, DateTimeOffset? End, DisconnectReason? Reason, DateTimeOffset? AliveUntil = null, bool IsExpired = false, long Number = 0);

/// <summary>A reported end whose session's start nobody knows.</summary>
public readonly record struct LedgerFarewell(DateTimeOffset At, DisconnectReason Reason);

/// <summary>What a device is now, as in <see cref="Connectivity"/>; the word on what the ledger does not hold.</summary>
public sealed record PresentState(
    ConnectivityStatus Status, Confidence Confidence, DateTimeOffset? Since, string Evidence, DisconnectReason? LastReason, DateTimeOffset? LastSeenAt);

/// <summary>All that a <see cref="Timeline"/> is drawn from.</summary>
/// <param name="Sessions">In any order; of several that differ in nothing that counts the last.</param>
/// <param name="Farewells">Oldest first.</param>
public sealed record DeviceLedger(IReadOnlyList<LedgerSession> Sessions, IReadOnlyList<LedgerFarewell> Farewells, PresentState Present);
