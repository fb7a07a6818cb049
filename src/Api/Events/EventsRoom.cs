namespace WebhookService.Api.Events;

/// <summary>What following the journal needs.</summary>
internal static class EventsRoom
{
    public static IServiceCollection AddEvents(this IServiceCollection services, IConfiguration configuration)
    {
        services.AddOptions<EventsOptions>().Bind(configuration.GetSection("Events")).ValidateDataAnnotations().ValidateOnStart();
        services.AddSingleton<EventStreams>();
        services.AddTransient<JournalFollower>();
        return services;
    }
}
