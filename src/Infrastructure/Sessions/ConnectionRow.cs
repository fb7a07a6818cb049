using WebhookService.Domain.Sessions;
using WebhookService.Infrastructure.Persistence;

namespace WebhookService.Infrastructure.Sessions;

/// <summary>The columns of a connection's details, which stand in `sessions` and, for the decisive session, in `devices`.</summary>
internal abstract record ConnectionRow
{
    public string? Username { get; init; }
    public string? Ip { get; init; }
    public long? Port { get; init; }
    public string? Protocol { get; init; }
    public string? ProtocolVersion { get; init; }
    public long? KeepAlive { get; init; }
    public bool? CleanStart { get; init; }
    public long? Expiry { get; init; }
    public string? More { get; init; }

    protected ConnectionRow() { }

    protected ConnectionRow(ConnectionDetails? details)
    {
        if (details is null) return;
        (Username, Ip, Port, Protocol, ProtocolVersion) = (details.Username, details.Ip, details.Port, details.Protocol, details.ProtocolVersion);
        (KeepAlive, CleanStart, Expiry, More) = (details.KeepAliveSeconds, details.CleanStart, details.ExpirySeconds, details.More);
    }

    protected ConnectionDetails ToDetails(SharedTexts texts) => new()
    {
        Username = texts.Of(Username),
        Ip = texts.Of(Ip),
        Port = (int?)Port,
        Protocol = texts.Of(Protocol),
        ProtocolVersion = texts.Of(ProtocolVersion),
        KeepAliveSeconds = (int?)KeepAlive,
        CleanStart = CleanStart,
        ExpirySeconds = Expiry,
        More = texts.Of(More),
    };
}
