using System.Reflection;
using WebhookService.Domain;
using WebhookService.Domain.Messages;
using WebhookService.Infrastructure.Journal;

namespace WebhookService.Infrastructure.Tests.Journal;

public sealed class EventDataTests
{
    private static readonly DateTimeOffset At = new(2026, 3, 1, 12, 0, 0, 250, TimeSpan.Zero);

    public static TheoryData<Type> Events => [.. typeof(IDomainEvent).Assembly.GetTypes().Where(type => type.GetCustomAttribute<EventNameAttribute>() is not null)];

    [Theory]
    [MemberData(nameof(Events))]
    public void Every_event_is_read_from_its_row_as_it_was_written(Type type)
    {
        var happened = (IDomainEvent)Sample(type);

        var read = EventData.Read(EventData.NameOf(happened), happened.At, happened.Client, (happened as IMessageEvent)?.Message, EventData.Of(happened));

        Assert.IsType(type, read);
        foreach (var property in type.GetProperties()) Assert.Equal(property.GetValue(happened), property.GetValue(read));
    }

    private static object Sample(Type type)
    {
        type = Nullable.GetUnderlyingType(type) ?? type;
        if (type == typeof(string)) return "word \"quoted\" ü";
        if (type == typeof(ClientId)) return new ClientId("pump-7");
        if (type == typeof(MessageId)) return new MessageId(4711);
        if (type == typeof(DateTimeOffset)) return At;
        if (type == typeof(TimeSpan)) return TimeSpan.FromMinutes(3);
        if (type == typeof(IReadOnlyDictionary<string, string>)) return new Dictionary<string, string> { ["site"] = "north" };
        if (type.IsGenericType && type.GetGenericTypeDefinition() == typeof(IReadOnlyList<>))
        {
            var list = Array.CreateInstance(type.GetGenericArguments()[0], 1);
            list.SetValue(Sample(type.GetGenericArguments()[0]), 0);
            return list;
        }
        if (type.IsEnum) return Enum.GetValues(type).Cast<object>().Last();
        if (type.IsPrimitive) return Convert.ChangeType(1, type, System.Globalization.CultureInfo.InvariantCulture);
        var constructor = type.GetConstructors().OrderByDescending(one => one.GetParameters().Length).First();
        return constructor.Invoke([.. constructor.GetParameters().Select(one => Sample(one.ParameterType))]);
    }
}
