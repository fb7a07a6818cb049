using WebhookService.Domain.Sessions;
using WebhookService.Infrastructure.Persistence;

namespace WebhookService.Infrastructure.Sessions;

/// <summary>The columns of a connection's details, which stand in `sessions` and, for the decisive session, in `devices`.</summary>
internal static class ConnectionColumns
{
    public const string All = "username, ip, port, protocol, protocol_version, keep_alive, clean_start, expiry, more";

    public static ConnectionDetails Read(ref StatementRow row, SharedTexts texts) => new()
    {
        Username = row.Text(texts),
        Ip = row.Text(texts),
        Port = (int?)row.NumberOrNull(),
        Protocol = row.Text(texts),
        ProtocolVersion = row.Text(texts),
        KeepAliveSeconds = (int?)row.NumberOrNull(),
        CleanStart = row.FlagOrNull(),
        ExpirySeconds = row.NumberOrNull(),
        More = row.Text(texts),
    };
}
