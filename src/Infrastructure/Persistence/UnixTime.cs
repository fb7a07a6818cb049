using System.Data;
using Dapper;

namespace WebhookService.Infrastructure.Persistence;

/// <summary>Time as the database keeps it: integer milliseconds since 1970 UTC.</summary>
internal static class UnixTime
{
    public static long ToMs(this DateTimeOffset time) => time.ToUnixTimeMilliseconds();

    public static long? ToMs(this DateTimeOffset? time) => time?.ToUnixTimeMilliseconds();

    public static DateTimeOffset ToTime(this long ms) => DateTimeOffset.FromUnixTimeMilliseconds(ms);

    public static DateTimeOffset? ToTime(this long? ms) => ms is { } value ? DateTimeOffset.FromUnixTimeMilliseconds(value) : null;
}

/// <summary>Lets Dapper read and write <see cref="DateTimeOffset"/> as <see cref="UnixTime"/>.</summary>
internal sealed class UnixTimeHandler : SqlMapper.TypeHandler<DateTimeOffset>
{
    public override DateTimeOffset Parse(object value) => ((long)value).ToTime();

    public override void SetValue(IDbDataParameter parameter, DateTimeOffset value) => parameter.Value = value.ToMs();
}
