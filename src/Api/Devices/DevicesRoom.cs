using AutoMapper;

namespace WebhookService.Api.Devices;

/// <summary>What reading devices and sessions needs.</summary>
internal static class DevicesRoom
{
    public static IServiceCollection AddDevices(this IServiceCollection services)
    {
        services.AddClientIdsInPaths();
        return services.AddSingleton(new MapperConfiguration(maps => maps.AddProfiles(typeof(DevicesRoom).Assembly)).CreateMapper());
    }
}
